"""Universal perturbations: the sequential algorithm, the ball, and the fooling rate on clean predictions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import UAP
from advlab.attacks.results import AttackResult


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4)]
    return nn.Sequential(*layers).double()


def images(count: int = 60, seed: int = 1) -> Tensor:
    return torch.rand((count, 1, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(x: Tensor, **options: Any) -> AttackResult:
    call = {key: options.pop(key) for key in ("held_out", "batch_size", "labels") if key in options}
    labels = call.pop("labels", torch.zeros(len(x), dtype=torch.int64))
    return UAP(**options)(network(), x, labels, **call)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.15), ("l2", 0.4)])
@pytest.mark.parametrize("mode", ["exact", "minibatch"])
def test_it_fools_and_stays_in_the_ball(norm: str, epsilon: float, mode: str) -> None:
    x = images()
    result = run(x, norm=norm, epsilon=epsilon, mode=mode, fooling=0.95, images=16)
    v = result.universal
    assert v is not None
    size = float(v.norm() if norm == "l2" else v.abs().max())
    assert size <= epsilon * (1 + 1e-9)
    clean = network()(x).argmax(1)
    rate = float((network()(x + v).argmax(1) != clean).double().mean())
    assert result.facts["fooling_rate"] == pytest.approx(rate)
    assert torch.equal(result.adv, (x + v).clamp(0, 1))
    assert result.facts["fooling_rate_clipped"] == pytest.approx(float(result.success.double().mean()))
    direction = torch.randn(v.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    noise = direction.sign() * epsilon if norm == "linf" else direction / direction.norm() * epsilon
    random = float((network()(x + noise).argmax(1) != clean).double().mean())
    assert rate > random + 0.2, "a random direction of the same length must fool fewer"


@pytest.mark.parametrize(("accept", "max_iter", "overshoot"), [(9, 10, 0.02), (2, 10, 0.0), (9, 1, 0.0)])
def test_exact_is_the_sequential_algorithm(accept: int, max_iter: int, overshoot: float) -> None:
    """One image after the other, with a DeepFool of one image, as the paper's algorithm 1 says it."""
    x, epsilon = images(40), 0.2
    model, clean = network(), network()(images(40)).argmax(1)
    options = {"accept": accept, "max_iter": max_iter, "overshoot": overshoot}
    result = run(x, epsilon=epsilon, passes=1, fooling=1.0, candidates=0, **options)
    v, counts = torch.zeros_like(x[0]), set()
    for i in torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).tolist():
        point = x[i : i + 1] + v
        if int(model(point).argmax()) != int(clean[i]):
            continue
        step, count = deepfool(model, point, int(clean[i]), max_iter, overshoot)
        counts.add(count)
        if count < min(accept, max_iter + 1):
            v = (v + step).clamp(-epsilon, epsilon)
    assert {1, min(accept, max_iter + 1)} <= counts or accept > max_iter > 1 or accept == 9
    assert result.universal is not None
    assert torch.allclose(result.universal, v, atol=1e-9)


def deepfool(model: nn.Module, x: Tensor, label: int, max_iter: int, overshoot: float) -> tuple[Tensor, int]:
    """The authors' DeepFool for one image, all rivals: perturbation and number of steps, `max_iter` + 1: it failed."""
    total = torch.zeros_like(x)
    for step in range(max_iter + 1):
        z = (x + (1 + overshoot) * total).requires_grad_()
        out = model(z)[0]
        if int(out.argmax()) != label:
            return (1 + overshoot) * total[0], step
        rows = {k: torch.autograd.grad(out[k] - out[label], z, retain_graph=True)[0] for k in range(4) if k != label}
        distance = {k: float((out[label] - out[k]).detach() / w.norm()) for k, w in rows.items()}
        k = min(distance, key=lambda k: distance[k])
        total = total + (distance[k] + 1e-4) * rows[k] / rows[k].norm()
    return (1 + overshoot) * total[0], max_iter + 1


@pytest.mark.parametrize("size", [1, 3, 64])
def test_how_many_are_looked_at_once_changes_nothing(size: int) -> None:
    whole, part = run(images(), epsilon=0.1, passes=2), run(images(), epsilon=0.1, passes=2, batch_size=size)
    assert whole.universal is not None
    assert part.universal is not None
    assert torch.allclose(whole.universal, part.universal, atol=1e-10)


def test_the_rate_is_of_changed_predictions_whatever_the_labels() -> None:
    x = images()
    right, wrong = run(x, labels=network()(x).argmax(1)), run(x, labels=torch.full((len(x),), 3))
    assert right.facts == wrong.facts
    assert torch.equal(right.success, wrong.success)


def test_held_out_images_are_measured_and_not_learned_from() -> None:
    x, held_out = images(), images(50, seed=7)
    with_, without = run(x, held_out=held_out, epsilon=0.2), run(x, epsilon=0.2)
    assert with_.universal is not None
    assert without.universal is not None
    assert torch.equal(with_.universal, without.universal)
    clean = network()(held_out).argmax(1)
    rate = float((network()(held_out + with_.universal).argmax(1) != clean).double().mean())
    assert with_.facts["held_out_fooling_rate"] == pytest.approx(rate)
    with pytest.raises(ValueError, match="held_out"):
        run(x, held_out=torch.rand(3, 1, 5, 5))


def test_the_l2_ball_is_a_ball_not_a_sphere() -> None:
    """A bound far above what is needed is not used up."""
    result = run(images(), norm="l2", epsilon=4.0, fooling=0.5, passes=1)
    assert result.universal is not None
    assert float(result.universal.norm()) < 3


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(3, 1, 5, 5),
        torch.full((2, 1, 4, 4), torch.nan),
        255 * torch.rand(3, 1, 4, 4),
        torch.zeros(2, 1, 4, 4).int(),
    ],
)
def test_held_out_images_in_other_units_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="held_out"):
        run(images(), held_out=wrong)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_usual_radius_is_four_percent_of_the_images_mean_norm(norm: Any) -> None:
    x = images(30) * 0.5
    flat = x.flatten(1)
    wanted = 0.04 * float((flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)).mean())
    result = run(x, norm=norm, passes=1)
    assert result.facts["epsilon"] == pytest.approx(wanted)
    v = result.universal
    assert v is not None
    assert 0 < float(v.abs().max() if norm == "linf" else v.norm()) <= wanted * (1 + 1e-9)
    assert torch.equal(result.adv, run(x, norm=norm, passes=1, epsilon=result.facts["epsilon"]).adv)
    model = network()
    grey = UAP(norm=norm, passes=1)(lambda z: model(z / 255), 255 * x, result.prediction * 0, bounds=(0.0, 255.0))
    assert grey.facts["epsilon"] == pytest.approx(wanted)
