"""The interface of all attacks: what it refuses, whom it attacks, and that it believes no algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, FGV, LBFGS, PGD, Attack, DeepFool, HotCold
from advlab.attacks.logits import cross_entropy_cotangent, margin
from advlab.attacks.network import CountedNetwork, memory_format
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

SHAPE = (1, 2, 3)
W = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0]])  # logits: the first three pixels


def model(x: Tensor) -> Tensor:
    return 10 * x.flatten(1) @ W.to(x).T


def images(*tops: int) -> Tensor:
    """One image for each class to be predicted."""
    x = torch.full((len(tops), 6), 0.25)
    x[range(len(tops)), list(tops)] = 0.75
    return x.view(-1, *SHAPE)


@dataclass(frozen=True, kw_only=True)
class Fake(Attack):
    """Says `says` of every image after it made the pixel of class `to` the largest; keeps the problem that it was given."""

    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    extra_inputs: ClassVar[tuple[str, ...]] = ("basis",)
    norm: Literal["l1", "l2", "linf"] = "l2"
    says: int = int(Status.SUCCESS)
    to: int = -1
    seen: list[Problem] = dataclasses.field(default_factory=list)

    def run(self, problem: Problem) -> AlgorithmResult:
        self.seen.append(dataclasses.replace(problem))
        adv = problem.x.clone()
        if self.to >= 0:
            adv.view(len(adv), -1)[:, self.to] = problem.bounds[1]
        n = len(adv)
        status, steps, epsilon = torch.full((n,), self.says), torch.full((n,), 3), torch.full((n,), 0.5)
        return AlgorithmResult(adv, status, steps, epsilon=epsilon, facts={"a": 1})


X, Y = images(0, 1, 2, 0), torch.tensor([0, 1, 2, 1])  # the last one is classified wrongly


def test_a_lie_is_lost() -> None:
    result = Fake()(model, X, Y)
    assert result.status.tolist() == [Status.LOST] * 3 + [Status.INELIGIBLE]
    assert not result.success.any()


@pytest.mark.parametrize("says", list(Status))
def test_what_flips_has_succeeded_whatever_the_algorithm_says(says: Status) -> None:
    result = Fake(to=2, says=int(says))(model, X, Y)
    expected = Status.LOST if says == Status.SUCCESS else says  # the image of class 2 stays where it is
    assert result.status.tolist() == [Status.SUCCESS, Status.SUCCESS, expected, Status.INELIGIBLE]
    assert result.success.tolist() == [True, True, False, False]
    assert result.prediction.tolist() == [2, 2, 2, 0]
    assert result.margin[:2].tolist() == pytest.approx([2.5, 2.5])
    assert result.margin[2].item() == pytest.approx(-7.5)
    assert result.distance.tolist() == pytest.approx([0.75, 0.75, 0.25, 0.0])
    assert result.steps.tolist() == [3, 3, 3, 0]
    assert result.epsilon[:3].tolist() == [0.5] * 3
    assert bool(result.epsilon[3].isnan())
    assert result.facts == {"a": 1}
    assert result.forwards == 8
    assert torch.equal(result.adv[3], X[3])


def test_targets_decide_success_and_eligibility() -> None:
    result = Fake(to=2)(model, images(0, 1, 2), torch.tensor([0, 1, 0]), targets=torch.tensor([2, 0, 2]))
    assert result.eligible.tolist() == [True, True, False]
    assert result.status.tolist() == [Status.SUCCESS, Status.LOST, Status.INELIGIBLE]
    fake = Fake(to=2)
    fake(model, X, Y, targets=torch.tensor([2, 2, 0, 2]))
    problem = fake.seen[0]
    assert problem.targets is not None
    assert problem.targets.tolist() == [2, 2, 0]
    assert problem.labels.tolist() == [0, 1, 2]
    assert torch.equal(problem.logits, model(X[:3]))


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_distances_are_in_units_of_the_bounds(norm: Any) -> None:
    expected = Fake(to=2, norm=norm)(model, X, Y).distance
    result = Fake(to=2, norm=norm)(lambda x: model(x / 4 + 0.5), (X - 0.5) * 4, Y, bounds=(-2.0, 2.0))
    assert expected.tolist() == pytest.approx([0.75, 0.75, 0.25, 0.0])  # one pixel moves: all norms are the same
    assert torch.allclose(result.distance, expected)


def test_all_misclassified_and_none_at_all() -> None:
    fake = Fake()
    result = fake(model, X, torch.tensor([1, 2, 0, 2]))
    assert not result.eligible.any()
    assert len(fake.seen[0]) == 0
    assert fake.seen[0].classes == 3
    assert torch.equal(result.adv, X)
    empty = fake(model, X[:0], Y[:0])
    assert empty.adv.shape == (0, *SHAPE)
    assert (empty.forwards, empty.backwards) == (0, 0)


def test_a_tie_is_no_success_and_not_eligible() -> None:
    logits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [torch.nan, 1.0, 0.0], [torch.inf, 0.0, 0.0]])
    y, t = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 2, 1, 0])
    assert margin(logits, y, None).tolist() == [0.0, 2.0, -torch.inf, -torch.inf]
    assert margin(logits, y, t).tolist() == [0.0, -1.0, -torch.inf, -torch.inf]
    flat = torch.full((1, *SHAPE), 0.5)
    assert not Fake()(model, flat, torch.tensor([0])).eligible.any()


def test_clean_logits_that_are_not_numbers() -> None:
    result = Fake(to=2)(lambda x: torch.where(x.flatten(1)[:, :1] > 0.5, torch.nan, model(x)), X, Y)
    assert result.status.tolist() == [Status.NONFINITE, Status.SUCCESS, Status.LOST, Status.NONFINITE]
    assert result.eligible.tolist() == [False, True, True, False]
    assert torch.equal(result.adv[0], X[0])


def test_an_image_that_is_not_a_number_comes_back_as_lost() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Breaks(Fake):
        def run(self, problem: Problem) -> AlgorithmResult:
            n = len(problem)
            return AlgorithmResult(problem.x * torch.nan, torch.zeros(n), torch.zeros(n))

    assert Breaks()(model, X[:2], Y[:2]).status.tolist() == [Status.LOST, Status.LOST]


def replaced(values: Tensor, index: Any, value: float) -> Tensor:
    values = values.clone()
    values[index] = value
    return values


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan image": ({"inputs": replaced(X, (1, 0, 0, 0), torch.nan)}, r"inputs\[1\] has .* NaN or infinite \(1 images do\): leave"),
    "infinite image": ({"inputs": replaced(X, (2, 0, 0, 0), torch.inf)}, r"inputs\[2\] has values that are NaN or infinite"),
    "above the bounds": ({"inputs": X * 255}, r"outside bounds=\(0.0, 1.0\): say bounds=\(lowest, highest\), and normalise inside"),
    "below the bounds": ({"inputs": X - 1}, r"reach from -0.75 to -0.25, outside"),
    "bounds of another unit": ({"bounds": (0.3, 0.6)}, r"outside bounds=\(0.3, 0.6\)"),
    "bounds reversed": ({"bounds": (1.0, 0.0)}, r"bounds must be \(lowest, highest\)"),
    "bounds without end": ({"bounds": (-torch.inf, torch.inf)}, r"bounds must be \(lowest, highest\)"),
    "integer images": ({"inputs": (X * 255).to(torch.uint8), "bounds": (0, 255)}, r"float32 or float64 images .* got torch.uint8"),
    "half precision": ({"inputs": X.half()}, r"float32 or float64 images .* got torch.float16"),
    "one image without a batch": ({"inputs": X[0]}, r"shape \(N, C, H, W\), got torch.float32 of \(1, 2, 3\)"),
    "no tensor": ({"inputs": X.numpy()}, r"inputs must be a tensor, got ndarray"),
    "flat images": ({"inputs": X.flatten(1)}, r"shape \(N, C, H, W\)"),
    "too few labels": ({"labels": Y[:3]}, r"labels must be whole numbers of shape \(4,\), one an image, got .* \(3,\)"),
    "one-hot labels": ({"labels": torch.eye(3)[Y]}, r"labels must be whole numbers of shape \(4,\)"),
    "labels with a fraction": ({"labels": Y.float()}, r"labels must be whole numbers"),
    "labels as truth values": ({"labels": Y.bool()}, r"labels must be whole numbers"),
    "a list of labels": ({"labels": Y.tolist()}, r"labels must be a tensor, got list"),
    "label too large": ({"labels": replaced(Y, 1, 3)}, r"labels hold the class 3, the model has the classes 0 to 2"),
    "label below 0": ({"labels": replaced(Y, 1, -1)}, r"labels hold the class -1"),
    "target is the label": ({"targets": torch.tensor([1, 2, 2, 0])}, r"targets\[2\] is the label 2 itself: give another class"),
    "target too large": ({"targets": torch.tensor([1, 2, 7, 0])}, r"targets hold the class 7, the model has the classes 0 to 2"),
    "too few targets": ({"targets": torch.tensor([1])}, r"targets must be whole numbers of shape \(4,\)"),
    "unknown tensor": ({"held_out": X}, r"Fake takes no held_out=; it takes basis"),
    "negative batch": ({"batch_size": -1}, r"batch_size must be 0 \(256 images\) or more, got -1"),
    "probabilities": ({"model": lambda x: torch.softmax(model(x), 1)}, r"gives probabilities: .* take its final softmax away"),
    "one logit": ({"model": lambda x: model(x)[:, :1]}, r"must give logits of shape \(N, classes\), it gives \(4, 1\)"),
    "one number": ({"model": lambda x: model(x).sum()}, r"must give logits of shape \(N, classes\)"),
    "features": ({"model": lambda x: x}, r"must give logits of shape \(N, classes\), it gives \(4, 1, 2, 3\)"),
    "logits without a batch": ({"model": lambda x: model(x)[0]}, r"must give logits of shape"),
    "two outputs": ({"model": lambda x: (model(x), x)}, r"must give logits"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(WRONG))
def test_bad_input_is_an_error_that_names_fault_and_remedy(what: str) -> None:
    changes, message = WRONG[what]
    call = {"model": model, "inputs": X, "labels": Y, **changes}
    fake = Fake()
    with pytest.raises(ValueError, match=message):
        fake(call.pop("model"), call.pop("inputs"), call.pop("labels"), **call)
    assert not fake.seen


def test_logits_in_place_of_probabilities_pass() -> None:
    assert Fake(to=2)(lambda x: torch.log_softmax(model(x), 1), X, Y).success.tolist() == [True, True, False, False]


def test_rounding_beyond_the_bounds_is_forgiven_in_their_unit() -> None:
    x = (X * 255).clamp(min=0)
    x[0, 0, 0, 0] = 255.0001
    fake = Fake()
    result = fake(lambda z: model(z / 255), x, Y, bounds=(0.0, 255.0))
    assert float(fake.seen[0].x.max()) <= 255.0
    assert float(result.adv.max()) <= 255.0


def test_modes_and_gradients_come_back_after_an_exception(network: Callable[..., nn.Sequential]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Raises(Fake):
        def run(self, problem: Problem) -> AlgorithmResult:
            assert isinstance(problem.network.model, nn.Module)
            assert not any(module.training for module in problem.network.model.modules())
            assert not any(parameter.requires_grad for parameter in problem.network.model.parameters())
            raise KeyError("stop")

    net = network((1, 7, 5))
    net.train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    with pytest.raises(KeyError, match="stop"):
        Raises()(net, torch.rand(2, 1, 7, 5).double(), torch.tensor([0, 1]))
    assert [m.training for m in net] == [True, False, True, True, True, True]
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True, True, True]


def problem_of(net: nn.Module, x: Tensor, batch_size: int = 2) -> Problem:
    with torch.no_grad():
        logits = net(x)
    return Problem(CountedNetwork(net, batch_size), x, logits.argmax(1), None, logits, (0.0, 1.0))


def test_gradients_in_batches_are_those_of_autograd(network: Callable[..., nn.Sequential]) -> None:
    net, x = network((2, 5, 9)), torch.rand(5, 2, 5, 9, dtype=torch.float64)
    problem = problem_of(net, x)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(nn.functional.cross_entropy(net(leaf), problem.labels, reduction="sum"), leaf)
    logits, found = problem.gradient(x, lambda z, rows: cross_entropy_cotangent(z, problem.labels[rows]))
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


def test_lengths() -> None:
    v = torch.tensor([[[3.0, -4.0]], [[0.0, 0.0]]])
    assert [norms_of_each(v, norm).tolist() for norm in ("l1", "l2", "linf")] == [[7.0, 0.0], [5.0, 0.0], [4.0, 0.0]]


def test_an_unknown_keyword_is_named_before_its_type() -> None:
    x = images(0, 1)
    with pytest.raises(ValueError, match=r"FGS takes no epsilon="):
        FGS()(model, x, torch.tensor([0, 1]), epsilon=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [None, 1.0, (0.0, 1.0, 2.0)])
def test_bounds_that_are_no_pair_are_refused(bounds: object) -> None:
    with pytest.raises(ValueError, match=r"bounds must be \(lowest, highest\)"):
        FGS()(model, images(0), torch.tensor([0]), bounds=bounds)  # type: ignore[arg-type]


def test_a_model_without_gradients_is_refused() -> None:
    with pytest.raises(ValueError, match="differentiable"):
        FGS()(torch.no_grad()(model), images(0), torch.tensor([0]))


def test_the_margin_of_hot_cold_is_that_of_its_success() -> None:
    def shadowed(x: torch.Tensor) -> torch.Tensor:  # class 2 never comes first: class 1 goes with it, and is ahead
        z = model(x)
        return torch.stack([z[:, 0], z[:, 1], z[:, 1] - 0.5], 1)

    x, labels, targets = images(0), torch.tensor([0]), torch.tensor([2])
    aimed = HotCold()(shadowed, x, labels, targets=targets)
    assert aimed.success.tolist() == [True]
    assert aimed.prediction.tolist() == [1]
    assert float(aimed.margin) > 0
    reaching = HotCold(reach=True)(shadowed, x, labels, targets=targets)
    assert reaching.success.tolist() == [False]
    assert float(reaching.margin) < 0


def test_prices_follow_the_hyperparameters() -> None:
    """What the dry plan multiplies: by hyperparameter and number of classes, from the definitions of the attacks."""
    assert FGS().estimated_cost(10)[1] == 1
    assert FGS(exhaustive=True).estimated_cost(10)[0] == 256
    assert FGV(epsilon=0.1).estimated_cost(10) == (1, 1)
    assert HotCold(hot=0).estimated_cost(1000)[1] == 999
    assert PGD(steps=7, restarts=3).estimated_cost(10) == (21, 21)
    assert LBFGS(searches=4, max_iter=9).estimated_cost(10) == (36, 36)
    assert DeepFool(exact=True, max_iter=5).estimated_cost(10)[1] > 3 * DeepFool(max_iter=5).estimated_cost(10)[1]
    assert DeepFool(refine=True, refinements=30).estimated_cost(10)[1] >= 30
