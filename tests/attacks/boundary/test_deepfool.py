"""DeepFool against closed forms, the authors' algorithms written once more, and foolbox."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from advlab.attacks import DeepFool
from advlab.attacks.boundary.box_step import box_step
from advlab.attacks.results import AttackResult
from advlab.attacks.status import Status


def linear(classes: int = 4, size: int = 12, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, classes)).double()


def smooth(classes: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """A small convolutional network whose boundaries are curved."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 20), nn.Tanh(), nn.Linear(20, classes)]
    network: Any = nn.Sequential(*layers)
    with torch.no_grad():
        network[0].weight.mul_(3)
        network[3].weight.mul_(3)
        network[-1].weight.mul_(8)
    return network.to(dtype)


def images(count: int = 24, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 1) -> Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def predictions(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x).argmax(1)


def attacked(network: nn.Module, x: Tensor, **options: Any) -> AttackResult:
    call = {key: options.pop(key) for key in ("targets", "basis", "bounds", "batch_size") if key in options}
    result = DeepFool(**options)(network, x, predictions(network, x), **call)
    assert bool(result.eligible.all()) or "targets" in call
    return result


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
    network, x = linear(), images(40, (1, 3, 4))
    result = attacked(network, x, flavour=flavour, norm=norm, clip="none")
    assert bool(result.success.all())
    nudge = 1e-4 if flavour == "python" else 0.0
    assert torch.allclose(result.distance, 1.02 * (distances(network, x, dual) + nudge), rtol=1e-9)
    assert result.steps.tolist() == [1] * 40


def authors_python(network: nn.Module, x: Tensor, max_iter: int = 50, overshoot: float = 0.02) -> tuple[Tensor, int]:
    """The algorithm of LTS4's deepfool.py for one image, from its description: all rivals, one image, no batch."""
    with torch.no_grad():
        label = int(network(x).argmax())
        classes = network(x).shape[1]
    total, point, step = torch.zeros_like(x), x.clone(), 0
    while step < max_iter:
        z = point.clone().requires_grad_()
        out = network(z)[0]
        if int(out.argmax()) != label:
            break
        own = torch.autograd.grad(out[label], z, retain_graph=True)[0]
        best, direction = np.inf, own
        for k in range(classes):
            if k == label:
                continue
            w = torch.autograd.grad(out[k], z, retain_graph=True)[0] - own
            distance = float((out[k] - out[label]).abs().detach() / w.norm())
            if distance < best:
                best, direction = distance, w
        total = total + (best + 1e-4) * direction / direction.norm()
        point, step = x + (1 + overshoot) * total, step + 1
    return point, step


@pytest.mark.parametrize("exact", [True, False])
def test_the_python_flavour_is_the_authors(exact: bool) -> None:
    network, x = smooth(), images(20)
    result = attacked(network, x, clip="none", exact=exact)
    assert int(result.steps.max()) > 1, "curved boundaries take more than one step"
    for i in range(len(x)):
        point, step = authors_python(network, x[i : i + 1])
        assert torch.allclose(result.adv[i], point[0], atol=1e-9)
        assert int(result.steps[i]) == step


def test_the_matlab_flavour_linearises_before_the_overshoot() -> None:
    network, x = smooth(), images(12)
    result = attacked(network, x, clip="none", flavour="matlab", overshoot=0.1)
    for i in range(len(x)):
        image, r = x[i : i + 1], torch.zeros(1, 1, 8, 8, dtype=torch.float64)
        label = int(predictions(network, image))
        while int(predictions(network, image + 1.1 * r)) == label:
            z = (image + r).requires_grad_()
            out = network(z)[0]
            rows = [torch.autograd.grad(out[k] - out[label], z, retain_graph=True)[0] for k in range(6)]
            length = [
                float((out[k] - out[label]).abs().detach() / rows[k].norm()) if k != label else np.inf for k in range(6)
            ]
            k = int(np.argmin(length))
            r = r + length[k] * rows[k] / rows[k].norm()
        assert torch.allclose(result.adv[i], (image + 1.1 * r)[0], atol=1e-9)


def test_targeted_follows_algorithm_1_of_jetley() -> None:
    network, x = smooth(), images(16)
    label = predictions(network, x)
    target = (label + 1) % 6
    options: dict[str, Any] = {"clip": "none", "flavour": "matlab", "overshoot": 0.05, "max_iter": 100}
    result = attacked(network, x, targets=target, **options)
    assert result.success.float().mean() > 0.6
    assert torch.equal(result.prediction[result.success], target[result.success])
    for i in result.success.nonzero()[:, 0].tolist():
        image, c, r = x[i : i + 1], int(target[i]), torch.zeros(1, 1, 8, 8, dtype=torch.float64)
        for _ in range(100):
            current = int(predictions(network, image + 1.05 * r))
            if current == c:
                break
            z = (image + r).requires_grad_()
            out = network(z)[0]
            w = torch.autograd.grad(out[c] - out[current], z)[0]
            r = r + float((out[c] - out[current]).abs().detach()) * w / w.norm() ** 2
        assert torch.allclose(result.adv[i], (image + 1.05 * r)[0], atol=1e-8)


def test_economy_never_changes_the_rival_here_and_saves_gradients() -> None:
    network, x = smooth(classes=10), images(60)
    exact, economical = attacked(network, x, clip="none", exact=True), attacked(network, x, clip="none")
    assert exact.facts["rival_differs"] == 0
    assert torch.allclose(exact.adv, economical.adv, atol=1e-9)
    assert economical.backwards < 0.8 * exact.backwards


def test_the_share_of_differing_rivals_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no reserve at all the economical choice is the smallest logit gap, which is often wrong."""
    for reserve in ("RESERVE", "FIRST_RESERVE"):
        monkeypatch.setattr(f"advlab.attacks.boundary.nearest_boundary.{reserve}", 1e-9)
    result = attacked(smooth(classes=10), images(60), clip="none", exact=True)
    assert result.facts["rival_differs"] > 0.01


@pytest.mark.parametrize("flavour", ["python", "matlab"])
def test_confined_steps_stay_in_the_span(flavour: str) -> None:
    network, x = smooth(), images(10)
    basis = torch.linalg.qr(torch.randn(64, 20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    result = attacked(network, x, clip="none", flavour=flavour, basis=basis)
    r = (result.adv - x).flatten(1)
    assert float((r - r @ basis @ basis.T).norm()) < 1e-10
    free = attacked(network, x, clip="none", flavour=flavour)
    both = result.success & free.success
    assert int(both.sum()) > 5
    assert float(result.distance[both].mean()) > float(free.distance[both].mean())
    full = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(4), dtype=torch.float64)).Q
    assert torch.allclose(attacked(network, x, clip="none", flavour=flavour, basis=full).adv, free.adv, atol=1e-9)


def test_projection_comes_before_the_choice_of_the_rival() -> None:
    """Rival 1 is the nearest in the whole space, rival 2 in the subspace, which rival 1's normal barely enters."""
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(3, 3)).double()
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[0.0, 0, 0], [2, 0.01, 0], [0, 0, 1]]))
        network[1].bias.copy_(torch.tensor([0.0, -1.605, -1]))
    x = torch.full((1, 1, 1, 3), 0.5, dtype=torch.float64)
    basis = torch.tensor([[0.0, 0], [1, 0], [0, 1]], dtype=torch.float64)
    free, confined = attacked(network, x, clip="none"), attacked(network, x, clip="none", basis=basis)
    assert int(free.prediction) == 1
    assert int(confined.prediction) == 2
    assert float(confined.distance) == pytest.approx(1.02 * (0.5 + 1e-4), rel=1e-9)


@pytest.mark.parametrize("clip", ["each", "end"])
def test_clipping_keeps_the_bounds(clip: str) -> None:
    network, x = smooth(), images(24).round()  # black and white: every step wants to leave
    result = attacked(network, x, clip=clip)
    assert float(result.adv.min()) >= 0
    assert float(result.adv.max()) <= 1
    assert bool((predictions(network, result.adv)[result.success] != predictions(network, x)[result.success]).all())
    if clip == "each":
        assert bool(result.success.all())


def test_refilled_places_change_nothing() -> None:
    network, x = smooth(), images(30)
    whole = attacked(network, x, batch_size=30)
    for size in (1, 4, 7):
        part = attacked(network, x, batch_size=size)
        assert torch.allclose(part.adv, whole.adv, atol=1e-9)
        assert torch.equal(part.steps, whole.steps)


@pytest.mark.parametrize("flavour", ["python", "matlab"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_all_rivals_in_one_batch_give_the_same(monkeypatch: pytest.MonkeyPatch, flavour: str, norm: str) -> None:
    network, x = smooth(), images(20)
    target = (predictions(network, x) + 1) % 6
    apart = [attacked(network, x, flavour=flavour, norm=norm, clip="none", exact=True)]
    apart.append(attacked(network, x, flavour=flavour, norm=norm, clip="none", targets=target))
    monkeypatch.setattr("advlab.attacks.boundary.deepfool.rival_search.RIVALS_IN_ONE_BATCH", {"cpu": 32})
    together = [attacked(network, x, flavour=flavour, norm=norm, clip="none")]
    together.append(attacked(network, x, flavour=flavour, norm=norm, clip="none", targets=target))
    for one, other in zip(apart, together, strict=True):
        assert torch.allclose(one.adv, other.adv, atol=1e-9)
        assert torch.equal(one.steps, other.steps)
    assert together[0].backwards < 1.6 * apart[0].backwards


def test_success_does_not_hang_on_rounding() -> None:
    """What is called a success has a margin that survives another batch size, in float32 and at bounds that stop steps."""
    network, x = smooth(dtype=torch.float32), images(48).float().round()
    whole = attacked(network, x)
    with torch.no_grad():
        least = 32 * torch.finfo(torch.float32).eps * network(whole.adv).abs().amax(1)
    assert bool((whole.margin[whole.success] > 0.5 * least[whole.success]).all())
    for size in (1, 5):
        assert torch.equal(attacked(network, x, batch_size=size).success, whole.success)


def test_a_flat_network_is_counted_as_such() -> None:
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    result = attacked(network, torch.full((2, 1, 2, 2), 0.5, dtype=torch.float64))
    assert result.status.tolist() == [Status.ZERO_GRADIENT] * 2
    assert bool((result.adv == 0.5).all())


def test_max_iter_is_reported_and_kept() -> None:
    network, x = smooth(), images(24)
    one = attacked(network, x, max_iter=1, clip="none")
    assert Status.MAX_ITER in one.status.tolist()
    assert int(one.steps.max()) == 1
    assert bool((one.success == (predictions(network, one.adv) != predictions(network, x))).all())


def test_refinement_shortens_and_approaches_the_brute_force_optimum() -> None:
    """In two dimensions the nearest adversarial point is found on a fine grid."""
    torch.manual_seed(5)
    network: Any = nn.Sequential(nn.Flatten(), nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    with torch.no_grad():
        network[1].weight.mul_(4)
        network[3].weight.mul_(6)
    x = images(30, (1, 1, 2), seed=2)
    axis = torch.linspace(0, 1, 801, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).view(-1, 1, 1, 2)
    classes = predictions(network, grid)
    plain, refined = attacked(network, x), attacked(network, x, refine=True, refinements=20)
    assert torch.equal(plain.success, refined.success)
    assert bool((refined.distance[refined.success] <= plain.distance[refined.success] + 1e-12).all())
    ratios = []
    for i in refined.success.nonzero()[:, 0].tolist():
        other = classes != predictions(network, x[i : i + 1])
        optimum = float((grid[other] - x[i]).flatten(1).norm(dim=1).min())
        ratios.append(float(refined.distance[i]) / optimum)
    assert len(ratios) >= 15
    assert min(ratios) > 0.99
    assert float(np.median(ratios)) < 1.02
    assert float(np.mean(ratios)) < 1.1


def test_foolbox_finds_no_shorter_ones() -> None:
    foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed (extra peers)")
    network, x = smooth(dtype=torch.float32).eval(), images(24).float()
    label = predictions(network, x)
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    _, theirs, success = foolbox.attacks.L2DeepFoolAttack(steps=50)(model, x, label, epsilons=None)
    ours = attacked(network, x)
    assert bool(ours.success[success].all())
    lengths = (theirs - x).flatten(1).norm(dim=1)
    assert float(ours.distance[success].mean()) <= 1.01 * float(lengths[success].mean())


@pytest.mark.parametrize("seed", range(5))
def test_the_box_step_is_the_shortest(seed: int) -> None:
    """Against scipy's SLSQP on the same quadratic programme."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(1, 1, 2, 3, generator=generator, dtype=torch.float64)
    x = torch.rand(1, 1, 2, 3, generator=generator, dtype=torch.float64)
    most = float((torch.where(w > 0, 1 - x, -x) * w).sum())
    gap = torch.tensor([0.7 * most], dtype=torch.float64)
    step, reached = box_step(w, gap, x, (0.0, 1.0))
    assert bool(reached)
    assert float((w * step).sum()) == pytest.approx(float(gap), rel=1e-5)
    assert float((x + step).min()) >= 0
    assert float((x + step).max()) <= 1
    flat, start = w.flatten().numpy(), x.flatten().numpy()
    found = minimize(
        lambda s: float(s @ s), np.zeros(6), jac=lambda s: 2 * s, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
        bounds=list(zip(-start, 1 - start, strict=True)),
        constraints=[{"type": "eq", "fun": lambda s: float(flat @ s) - float(gap), "jac": lambda s: flat}],
    )  # fmt: skip
    assert float(step.norm()) == pytest.approx(float(np.linalg.norm(found.x)), rel=1e-4)


def test_the_box_step_says_what_is_out_of_reach() -> None:
    w, x = torch.ones(1, 1, 1, 2), torch.full((1, 1, 1, 2), 0.5)
    step, reached = box_step(w, torch.tensor([3.0]), x, (0.0, 1.0))
    assert not bool(reached)
    assert step.flatten().tolist() == [0.5, 0.5]


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
        attacked(smooth(), images(2), basis=basis, **options)


def test_hyperparameters_are_checked() -> None:
    for wrong in ({"max_iter": 0}, {"overshoot": -1.0}, {"refine": True, "norm": "linf"}, {"candidates": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DeepFool(**wrong)
    assert dataclasses.asdict(DeepFool())["max_iter"] == 50
