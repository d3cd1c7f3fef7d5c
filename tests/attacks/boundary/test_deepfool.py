"""DeepFool against closed forms and brute force: rivals, subspaces, clipping, batches and refinement."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import DeepFool
from advlab.attacks.status import Status
from tests.helpers.deepfool import curved_network, deepfool_result, linear_network, predicted_classes, uniform_images


def distances(network: Any, x: Tensor, dual: int | float) -> Tensor:
    """(n,) distance to the nearest of a linear network's boundaries."""
    weight, bias = network[1].weight.detach(), network[1].bias.detach()
    logits = x.flatten(1) @ weight.T + bias
    label = logits.argmax(1)
    gaps = logits.gather(1, label[:, None]) - logits
    norms = torch.linalg.vector_norm(weight[label][:, None] - weight[None], ord=dual, dim=2)
    return (gaps / norms).scatter(1, label[:, None], torch.inf).amin(1)


@pytest.mark.parametrize("flavour", ["python", "matlab"])
@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_a_linear_network_takes_one_step_of_the_smallest_length(flavour: str, norm: str, dual: int) -> None:
    network, x = linear_network(), uniform_images(40, (1, 3, 4))
    result = deepfool_result(network, x, flavour=flavour, norm=norm, clip="none")
    assert bool(result.success.all())
    nudge = 1e-4 if flavour == "python" else 0.0
    assert torch.allclose(result.distance, 1.02 * (distances(network, x, dual) + nudge), rtol=1e-9)
    assert result.steps.tolist() == [1] * 40


def test_economy_never_changes_the_rival_here_and_saves_gradients() -> None:
    network, x = curved_network(classes=10), uniform_images(60)
    exact, economical = deepfool_result(network, x, clip="none", exact=True), deepfool_result(network, x, clip="none")
    assert exact.facts["rival_differs"] == 0
    assert torch.allclose(exact.adv, economical.adv, atol=1e-9)
    assert economical.backwards < 0.8 * exact.backwards


def test_the_share_of_differing_rivals_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no reserve at all the economical choice is the smallest logit gap, which is often wrong."""
    for reserve in ("RESERVE", "FIRST_RESERVE"):
        monkeypatch.setattr(f"advlab.attacks.boundary.nearest_boundary.{reserve}", 1e-9)
    result = deepfool_result(curved_network(classes=10), uniform_images(60), clip="none", exact=True)
    assert result.facts["rival_differs"] > 0.01


@pytest.mark.parametrize("flavour", ["python", "matlab"])
def test_confined_steps_stay_in_the_span(flavour: str) -> None:
    network, x = curved_network(), uniform_images(10)
    basis = torch.linalg.qr(torch.randn(64, 20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    result = deepfool_result(network, x, clip="none", flavour=flavour, basis=basis)
    r = (result.adv - x).flatten(1)
    assert float((r - r @ basis @ basis.T).norm()) < 1e-10
    free = deepfool_result(network, x, clip="none", flavour=flavour)
    both = result.success & free.success
    assert int(both.sum()) > 5
    assert float(result.distance[both].mean()) > float(free.distance[both].mean())
    full = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(4), dtype=torch.float64)).Q
    assert torch.allclose(
        deepfool_result(network, x, clip="none", flavour=flavour, basis=full).adv, free.adv, atol=1e-9
    )


def test_projection_comes_before_the_choice_of_the_rival() -> None:
    """Rival 1 is the nearest in the whole space, rival 2 in the subspace, which rival 1's normal barely enters."""
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(3, 3)).double()
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[0.0, 0, 0], [2, 0.01, 0], [0, 0, 1]]))
        network[1].bias.copy_(torch.tensor([0.0, -1.605, -1]))
    x = torch.full((1, 1, 1, 3), 0.5, dtype=torch.float64)
    basis = torch.tensor([[0.0, 0], [1, 0], [0, 1]], dtype=torch.float64)
    free, confined = deepfool_result(network, x, clip="none"), deepfool_result(network, x, clip="none", basis=basis)
    assert int(free.prediction) == 1
    assert int(confined.prediction) == 2
    assert float(confined.distance) == pytest.approx(1.02 * (0.5 + 1e-4), rel=1e-9)


def test_clipping_keeps_the_bounds() -> None:
    network, x = curved_network(), uniform_images(24).round()  # black and white: every step wants to leave
    result = deepfool_result(network, x)
    assert float(result.adv.min()) >= 0
    assert float(result.adv.max()) <= 1
    assert bool(
        (predicted_classes(network, result.adv)[result.success] != predicted_classes(network, x)[result.success]).all()
    )
    assert bool(result.success.all())


def test_refilled_places_change_nothing() -> None:
    network, x = curved_network(), uniform_images(30)
    whole = deepfool_result(network, x, batch_size=30)
    for size in (1, 4, 7):
        part = deepfool_result(network, x, batch_size=size)
        assert torch.allclose(part.adv, whole.adv, atol=1e-9)
        assert torch.equal(part.steps, whole.steps)


@pytest.mark.parametrize("flavour", ["python", "matlab"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_all_rivals_in_one_batch_give_the_same(monkeypatch: pytest.MonkeyPatch, flavour: str, norm: str) -> None:
    network, x = curved_network(), uniform_images(20)
    target = (predicted_classes(network, x) + 1) % 6
    apart = [deepfool_result(network, x, flavour=flavour, norm=norm, clip="none", exact=True)]
    apart.append(deepfool_result(network, x, flavour=flavour, norm=norm, clip="none", targets=target))
    monkeypatch.setattr("advlab.attacks.boundary.deepfool.rival_search.fit_one_batch", lambda *_: True)
    together = [deepfool_result(network, x, flavour=flavour, norm=norm, clip="none")]
    together.append(deepfool_result(network, x, flavour=flavour, norm=norm, clip="none", targets=target))
    for one, other in zip(apart, together, strict=True):
        assert torch.allclose(one.adv, other.adv, atol=1e-9)
        assert torch.equal(one.steps, other.steps)
    assert together[0].backwards < 1.6 * apart[0].backwards


def test_success_does_not_hang_on_rounding() -> None:
    """What is called a success has a margin that survives another batch size, in float32 and at bounds that stop steps."""
    network, x = curved_network(dtype=torch.float32), uniform_images(48).float().round()
    whole = deepfool_result(network, x)
    with torch.no_grad():
        least = 32 * torch.finfo(torch.float32).eps * network(whole.adv).abs().amax(1)
    assert bool((whole.margin[whole.success] > 0.5 * least[whole.success]).all())
    for size in (1, 5):
        assert torch.equal(deepfool_result(network, x, batch_size=size).success, whole.success)


def test_a_flat_network_is_counted_as_such() -> None:
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    result = deepfool_result(network, torch.full((2, 1, 2, 2), 0.5, dtype=torch.float64))
    assert result.status.tolist() == [Status.ZERO_GRADIENT] * 2
    assert bool((result.adv == 0.5).all())


def test_max_iter_is_reported_and_kept() -> None:
    network, x = curved_network(), uniform_images(24)
    one = deepfool_result(network, x, max_iter=1, clip="none")
    assert Status.MAX_ITER in one.status.tolist()
    assert int(one.steps.max()) == 1
    assert bool((one.success == (predicted_classes(network, one.adv) != predicted_classes(network, x))).all())


def test_refinement_shortens_and_approaches_the_brute_force_optimum() -> None:
    """In two dimensions the nearest adversarial point is found on a fine grid."""
    torch.manual_seed(5)
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    with torch.no_grad():
        network[1].weight.mul_(4)
        network[3].weight.mul_(6)
    x = uniform_images(30, (1, 1, 2), seed=2)
    axis = torch.linspace(0, 1, 801, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).view(-1, 1, 1, 2)
    classes = predicted_classes(network, grid)
    plain, refined = deepfool_result(network, x), deepfool_result(network, x, refine=True, refinements=20)
    assert torch.equal(plain.success, refined.success)
    assert bool((refined.distance[refined.success] <= plain.distance[refined.success] + 1e-12).all())
    ratios = []
    for i in refined.success.nonzero()[:, 0].tolist():
        other = classes != predicted_classes(network, x[i : i + 1])
        optimum = float((grid[other] - x[i]).flatten(1).norm(dim=1).min())
        ratios.append(float(refined.distance[i]) / optimum)
    assert len(ratios) >= 15
    assert min(ratios) > 0.99
    assert float(np.median(ratios)) < 1.02
    assert float(np.mean(ratios)) < 1.1


@pytest.mark.parametrize(
    ("options", "basis", "words"),
    [
        ({"clip": "none"}, torch.eye(5, 2), "shape"),
        ({"clip": "none"}, torch.ones(64, 2), "orthonormal"),
        ({"clip": "each"}, torch.eye(64, 2), "clip=none"),
        ({"clip": "none", "norm": "linf"}, torch.eye(64, 2), "norm=l2"),
    ],
)
def test_a_bad_basis_is_refused(options: dict[str, Any], basis: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        deepfool_result(curved_network(), uniform_images(2), basis=basis, **options)


def test_hyperparameters_are_checked() -> None:
    for wrong in ({"max_iter": 0}, {"overshoot": -1.0}, {"refine": True, "norm": "linf"}, {"candidates": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DeepFool(**wrong)
    assert dataclasses.asdict(DeepFool())["max_iter"] == 50


def test_by_default_the_ten_likeliest_rivals_are_looked_at() -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(30, 40)
    network = torch.nn.Sequential(torch.nn.Flatten(), head).double()
    with torch.no_grad():
        head.weight.mul_(0.2 + 3 * torch.rand(40, 1))  # so that the likeliest rival is not the nearest
    x = torch.rand(20, 1, 5, 6, dtype=torch.float64)
    y = predicted_classes(network, x)
    attacks = {count: DeepFool(candidates=count, clip="none")(network, x, y) for count in (0, 3, 10)}
    default = DeepFool(clip="none")(network, x, y)
    assert torch.equal(default.adv, attacks[10].adv)
    assert bool((attacks[0].distance <= default.distance + 1e-9).all())  # a linear network: more rivals, no longer
    assert bool((default.distance <= attacks[3].distance + 1e-9).all())
    assert float(attacks[3].distance.mean()) > float(attacks[0].distance.mean())
    few = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 11)).double()
    y = predicted_classes(few, x)
    assert torch.equal(DeepFool()(few, x, y).adv, DeepFool(candidates=0)(few, x, y).adv)
