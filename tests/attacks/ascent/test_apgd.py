"""Auto-PGD: the paper's algorithm written out for one image, its losses by autograd, and AutoAttack's robust accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import APGD, PGD
from advlab.attacks.ascent.apgd.algorithm import checkpoints
from advlab.attacks.ascent.apgd.losses import ascended
from advlab.attacks.random_numbers import generator, image_keys
from tests.helpers.digits_network import trained_on_digits
from tests.helpers.networks import make_network

EPSILON = {"linf": 0.05, "l2": 0.5}


def published_checkpoints(steps: int) -> list[int]:
    """w_j = ceil(p_j steps), by the recursion of section 3.1 in exact hundredths."""
    p, marks = [0, 22], [math.ceil(22 * steps / 100)]
    while p[-1] + max(p[-1] - p[-2] - 3, 6) <= 100:
        p.append(p[-1] + max(p[-1] - p[-2] - 3, 6))
        marks.append(math.ceil(p[-1] * steps / 100))
    return marks


@pytest.mark.parametrize("steps", [1, 5, 9, 20, 50, 100, 1000])
def test_the_checkpoints(steps: int) -> None:
    assert checkpoints(steps) == published_checkpoints(steps)


def project(z: Tensor, x: Tensor, norm: str, epsilon: float) -> Tensor:
    """Into the ball, then the box."""
    r = z - x
    r = r.clamp(-epsilon, epsilon) if norm == "linf" else r * min(1.0, epsilon / max(float(r.norm()), 1e-300))
    return (x + r).clamp(0, 1)


def written_out(
    model: nn.Module, x: Tensor, label: int, norm: str, epsilon: float, steps: int, start: Tensor
) -> list[Tensor]:
    """The iterates of algorithm 1 on one image (C, H, W) with the cross-entropy; it stops at the first that is misclassified."""

    def look(z: Tensor) -> tuple[float, Tensor, bool]:
        leaf = z.clone().requires_grad_()
        logits = model(leaf[None])
        loss = nn.functional.cross_entropy(logits, torch.tensor([label]))
        (g,) = torch.autograd.grad(loss, leaf)
        return loss.item(), g.sign() if norm == "linf" else g / g.norm(), int(logits.argmax()) != label

    xs = [project(x + start, x, norm, epsilon)]
    value, g, wrong = look(xs[0])
    if wrong:
        return xs
    eta, best, best_value, best_g = 2 * epsilon, xs[0], value, g
    at_last, halved, rises, last = best_value, False, 0, 0
    z, previous = xs[0], xs[0]
    for k in range(steps):
        proposal = project(z + eta * g, x, norm, epsilon)
        a = 0.75 if k else 1.0
        z, previous = project(z + a * (proposal - z) + (1 - a) * (z - previous), x, norm, epsilon), z
        xs.append(z)
        former = value
        value, g, wrong = look(z)
        if wrong:
            return xs
        rises += value > former
        if value > best_value:
            best, best_value, best_g = z, value, g
        if k + 1 in published_checkpoints(steps):
            # condition 1; condition 2 asks for the same step length and the same largest loss as at the last checkpoint
            halved = rises < 0.75 * (k + 1 - last) or (not halved and best_value == at_last)
            if halved:
                eta, z, g, value = eta / 2, best, best_g, best_value
            at_last, rises, last = best_value, 0, k + 1
    return xs


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_iterates_are_those_of_algorithm_1(norm: Any) -> None:
    model = make_network((1, 6, 7), classes=5, seed=2)
    x = torch.rand((12, 1, 6, 7), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    labels = model(x).argmax(1)
    seen: list[Tensor] = []
    epsilon, steps = EPSILON[norm], 30
    handle = model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    APGD(norm=norm, epsilon=epsilon, steps=steps, loss="ce")(model, x, labels)
    handle.remove()
    seen = seen[1:-1]  # without the checks before and after
    whole = 0
    for i, key in enumerate(image_keys("apgd", 0, x, (0.0, 1.0))):
        rng, start = generator(key, 0), np.empty(42, np.float32)
        if norm == "linf":
            rng.random(out=start, dtype=np.float32)
            start = (start * 2 - 1).astype(np.float32)
        else:
            rng.standard_normal(out=start, dtype=np.float32)
            start *= rng.random() ** (1 / 42) / np.linalg.norm(start)
        offset = torch.from_numpy(start).double().view(1, 6, 7) * epsilon
        expected = written_out(model, x[i], int(labels[i]), norm, epsilon, steps, offset)
        for k, z in enumerate(expected):  # rows leave the batch: each iterate is among those that were looked at
            nearest = (seen[k] - z).flatten(1).abs().amax(1).min()
            assert float(nearest) < 1e-6, (i, k)
        whole += len(expected) == steps + 1
    assert 0 < whole < 12  # some images go all steps, others leave


def test_the_losses_are_those_of_the_paper() -> None:
    logits = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    labels = logits.argmax(1)
    targets = (labels + 2) % 6
    z = logits.sort(1).values
    own, aim = logits.gather(1, labels[:, None])[:, 0], logits.gather(1, targets[:, None])[:, 0]
    other = torch.stack([logits[i][torch.arange(6) != labels[i]].max() for i in range(9)])
    expected = {
        ("dlr", False): -(own - other) / (z[:, -1] - z[:, -3]),
        ("targeted_dlr", True): -(own - aim) / (z[:, -1] - 0.5 * (z[:, -3] + z[:, -4])),
        ("ce", False): nn.functional.cross_entropy(logits, labels, reduction="none"),
        ("ce", True): -nn.functional.cross_entropy(logits, targets, reduction="none"),
    }
    for (loss, targeted), value in expected.items():
        found, slope = ascended(logits.detach(), labels, targets if targeted else None, loss, "exact")  # type: ignore[arg-type]
        (g,) = torch.autograd.grad(value.sum(), logits, retain_graph=True)
        torch.testing.assert_close(slope / slope.norm(dim=1, keepdim=True), g / g.norm(dim=1, keepdim=True))
        assert torch.equal(found.argsort(), value.argsort())


def test_it_says_how_many_classes_a_loss_needs() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    x = torch.rand(2, 1, 2, 2)
    labels = model(x).argmax(1)
    with pytest.raises(ValueError, match="at least 4 classes, the network has 3: set loss=ce"):
        APGD(loss="targeted_dlr")(model, x, labels)
    with pytest.raises(ValueError, match="dlr towards targets needs at least 4 classes"):
        APGD(loss="dlr")(model, x, labels, targets=(labels + 1) % 3)
    assert bool((APGD(loss="dlr", epsilon=0.0001, steps=3)(model, x, labels).steps == 3).all())
    # both: ce, and dlr as long as there are three classes and no targets
    assert bool((APGD(epsilon=0.0001, steps=3)(model, x, labels).steps == 6).all())
    assert bool((APGD(epsilon=0.0001, steps=3)(model, x, labels, targets=(labels + 1) % 3).steps == 3).all())


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.11), ("l2", 0.45)])
def test_robust_accuracy_is_autoattacks(norm: Any, epsilon: float) -> None:
    """Within a point of APGD-CE and APGD-T of torchattacks, on the same images, and never above PGD's."""
    torchattacks = pytest.importorskip(
        "torchattacks", reason="an independent implementation: pip install 'advlab[peers]'"
    )
    net, x, labels = trained_on_digits()
    x, labels = x[:100], labels[:100]
    result = APGD(norm=norm, epsilon=epsilon, steps=30)(net, x, labels)
    left = torch.ones(100, dtype=torch.bool)
    for attack in (
        torchattacks.APGD(net, norm="Linf" if norm == "linf" else "L2", eps=epsilon, steps=30, loss="ce"),
        torchattacks.APGDT(net, norm="Linf" if norm == "linf" else "L2", eps=epsilon, steps=30, n_classes=10),
    ):
        rows = left.nonzero()[:, 0]
        left[rows] = net(attack(x[rows], labels[rows])).argmax(1) == labels[rows]
    robust = 1 - float(result.success.float().mean())
    assert 0.2 < robust < 0.8
    assert abs(robust - float(left.float().mean())) <= 0.01
    plain = PGD(norm=norm, epsilon=epsilon)(net, x, labels)
    assert robust <= 1 - float(plain.success.float().mean())
    assert float(result.distance.max()) <= epsilon * (1 + 1e-5)
    assert result.forwards < 100 * 31 * 10  # images that succeed leave
