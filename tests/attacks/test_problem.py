"""What an algorithm is given: logits and gradients in batches, in the format of the convolutions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advlab.attacks.network import CountedNetwork, memory_format
from advlab.attacks.problem import Problem
from tests.helpers.fake_attack import Fake


def problem_of(net: nn.Module, x: Tensor, batch_size: int = 2) -> Problem:
    with torch.no_grad():
        logits = net(x)
    return Problem(CountedNetwork(net, batch_size), x, logits.argmax(1), None, logits, (0.0, 1.0))


def test_gradients_in_batches_are_those_of_autograd(network: Callable[..., nn.Sequential]) -> None:
    net, x = network((2, 5, 9)), torch.rand(5, 2, 5, 9, dtype=torch.float64)
    problem = problem_of(net, x)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad((0.5 * net(leaf).square()).sum(), leaf)
    logits, found = problem.gradient(x, lambda z, rows: z)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.allclose(logits, problem.logits)
    assert torch.allclose(problem.forward(x), problem.logits)
    assert (problem.network.forwards, problem.network.backwards) == (10, 5)
    at = problem.linearise(x[:2])
    one_hot = torch.eye(4, dtype=torch.float64)
    jacobian = torch.stack([at.vjp(one_hot[k].expand(2, -1), last=k == 3) for k in range(4)])
    brute = torch.autograd.functional.jacobian(net, x[:1])[0]
    assert torch.allclose(jacobian[:, 0], brute[:, 0], atol=1e-12)
    assert problem.network.backwards == 13
    nothing = problem.gradient(x[:0], lambda z, rows: z)
    assert [len(part) for part in nothing] == [0, 0]
    assert problem.forward(x[:0]).shape == (0, 4)


def test_inputs_come_in_the_format_of_the_convolutions(network: Callable[..., nn.Sequential]) -> None:
    net = network((2, 5, 9))
    assert memory_format(net) == torch.contiguous_format
    assert memory_format(lambda x: x) == torch.contiguous_format
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert memory_format(net) == torch.channels_last
    seen: list[bool] = []
    net.register_forward_pre_hook(lambda _, a: seen.append(a[0].is_contiguous(memory_format=torch.channels_last)))
    Fake()(net, torch.rand(3, 2, 5, 9).double(), torch.tensor([0, 1, 2]))
    assert all(seen)
