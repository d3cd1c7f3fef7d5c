"""The direction of the cross-entropy's gradient, against networks that are evaluated wholly in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from advlab.metrics.error_probability import error_probability
from advlab.metrics.loss_gradient import cross_entropy, cross_entropy_direction, error_log_odds, saturated
from tests.helpers.digits_network import trained_on_digits


def test_it_is_autograds_gradient_up_to_a_factor() -> None:
    logits = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(7) % 5
    (expected,) = torch.autograd.grad(nn.functional.cross_entropy(logits, labels, reduction="sum"), logits)
    wrong = 1 - torch.softmax(logits.detach(), 1).gather(1, labels[:, None])
    torch.testing.assert_close(wrong * cross_entropy_direction(logits.detach(), labels), expected)
    torch.testing.assert_close(cross_entropy_direction(logits.detach(), labels, "float32"), expected, atol=1e-6, rtol=0)
    (slope,) = torch.autograd.grad(error_log_odds(logits, labels).sum(), logits)
    torch.testing.assert_close(wrong * slope, expected)
    (slope,) = torch.autograd.grad(cross_entropy(logits, labels).sum(), logits)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("gap", [1.0, 20.0, 34.0, 90.0, 200.0])
def test_confident_logits_keep_the_label(gap: float) -> None:
    """p up to 1 - 1e-15 (a gap of 34) and beyond; the other classes' shares as in closed form."""
    logits = torch.tensor([[gap, 0.0, -1.0]])
    direction = cross_entropy_direction(logits, torch.tensor([0]))
    e = torch.tensor(-1.0).exp()
    torch.testing.assert_close(direction, torch.tensor([[-1.0, 1 / (1 + e), e / (1 + e)]]))
    assert bool(saturated(logits, torch.tensor([0]))) == (gap > 17)


def confident_network(seed: int, scale: float) -> nn.Sequential:
    """A network whose logits grow with `scale`."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 30), nn.ReLU(), nn.Linear(30, 10)
    )
    with torch.no_grad():
        net[-1].weight.mul_(scale)  # type: ignore[operator, union-attr]
    return net.requires_grad_(False)


def gradients(net: nn.Module, x: Tensor, labels: Tensor, arithmetic: str) -> Tensor:
    """(N, D) gradients with respect to images, through the network in the precision of `x`."""
    leaf = x.clone().requires_grad_()
    logits = net(leaf)
    cotangent = cross_entropy_direction(logits.detach(), labels, arithmetic)  # type: ignore[arg-type]
    return torch.autograd.grad(logits, leaf, cotangent)[0].flatten(1)


def reference(net: nn.Module, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(N, D) directions of the gradients wholly in float64, from the probabilities of the other classes; and 1 - p."""
    double = copy.deepcopy(net).double()
    leaf = x.double().requires_grad_()
    logits = double(leaf)
    log_p = torch.log_softmax(logits.detach(), 1)
    rise = torch.zeros_like(logits)
    for j in range(logits.shape[1]):  # sum over j != y of p_j (e_j - e_y), term by term
        p_j = torch.where(labels == j, 0.0, log_p[:, j].exp())
        rise[:, j] += p_j
        rise -= p_j[:, None] * nn.functional.one_hot(labels, logits.shape[1])
    rise /= rise.abs().amax(1, keepdim=True)
    return torch.autograd.grad(logits, leaf, rise)[0].flatten(1), error_probability(logits.detach(), labels)[0]


@pytest.mark.parametrize("scale", [1.0, 300.0, 1000.0, 5000.0])
def test_the_gradient_is_that_of_an_all_float64_network(scale: float) -> None:
    net = confident_network(3, scale)
    x = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = net(x).argmax(1)
    expected, wrong = reference(net, x, labels)
    cosine = cosine_similarity(gradients(net, x, labels, "exact").double(), expected)
    assert float(cosine.min()) > 0.999
    if scale == 1000:
        assert float(wrong.min()) < 1e-15 < float(wrong.max())
        assert float(cosine_similarity(gradients(net, x, labels, "float32").double(), expected).min()) < 0.9


def test_the_gradient_on_real_images_of_a_trained_network() -> None:
    net, x, labels = trained_on_digits()
    expected, wrong = reference(net, x, labels)
    certain = saturated(net(x), labels)
    assert 0.01 < float(certain.float().mean()) < 0.9
    assert float(wrong[certain].max()) < 1e-7
    cosine = cosine_similarity(gradients(net, x, labels, "exact").double(), expected)
    assert float(cosine.min()) > 0.999
    published = cosine_similarity(gradients(net, x, labels, "float32").double(), expected)
    assert float(published[certain].min()) < 0.9
