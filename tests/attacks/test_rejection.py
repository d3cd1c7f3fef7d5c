"""Attacks on networks with a reject output: another class must beat both the label and the rejection, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.attacks import FGS, FGV, LBFGS, PGD, UAP, Attack, DeepFool, Fooling, HotCold, Library, Noise, Saliency
from advlab.attacks.ascent.fooling.algorithm import fooling_levels
from advlab.attacks.defended import Defended
from advlab.attacks.external.plugin.params import PluginAttack
from advlab.attacks.logits import margin
from advlab.attacks.noise.algorithm import random_direction
from advlab.attacks.random_numbers import image_keys
from advlab.attacks.rejection import own_classes, rejected, without_reject
from advlab.attacks.status import Status
from tests.helpers.rejecting import Cautious, at_first_pixels, class_zero

MINIMAL = [
    DeepFool(), DeepFool(exact=True), DeepFool(norm="linf"), DeepFool(flavour="matlab"), DeepFool(refine=True), FGS(), FGV(),
    HotCold(), HotCold(hot=0, reach=True), LBFGS(), LBFGS(away="label"), Saliency(), FGS(exhaustive=True),
]  # fmt: skip


@pytest.mark.parametrize("attack", MINIMAL, ids=repr)
@pytest.mark.parametrize("targeted", [False, True])
def test_minimal_attacks_go_past_the_rejection(attack: Attack, targeted: bool) -> None:
    """The nearest image of class 1 is at .7: neither the boundary between the classes, .5, nor that of the rejection, .3."""
    if isinstance(attack, HotCold) and attack.hot == 0 and targeted:
        pytest.skip("targets are the hot classes instead")
    x = at_first_pixels(0.1, 0.25, 0.5, 0.9)
    targets = class_zero(x) + 1 if targeted else None
    result = attack(Cautious(), x, class_zero(x), targets=targets)
    assert result.eligible.tolist() == [True, True, False, False]  # rejected, and of another class
    assert result.success.tolist() == [True, True, False, False]
    assert result.status.tolist() == [Status.SUCCESS, Status.SUCCESS, Status.INELIGIBLE, Status.INELIGIBLE]
    assert result.rejected.tolist() == [False, False, True, False]
    assert result.prediction.tolist() == [1, 1, 2, 1]
    reached = result.adv[:2, 0, 0, 0]
    assert bool((reached > 0.7).all())
    assert bool((reached < 0.72).all())
    assert torch.allclose(result.margin[:2], 10 * (reached - 0.5) - 2)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_a_rejected_image_is_not_fooled(norm: Any, loss: Any) -> None:
    x = at_first_pixels(0.1)
    for epsilon, status in ((0.15, Status.MAX_ITER), (0.5, Status.REJECTED), (0.65, Status.SUCCESS)):
        result = PGD(epsilon=epsilon, norm=norm, loss=loss, random_start=False)(Cautious(), x, class_zero(x))
        assert Status(int(result.status)) == status
        assert bool(result.success) == (status == Status.SUCCESS)
        assert bool(result.rejected) == (status == Status.REJECTED)
        assert int(result.prediction) == {Status.MAX_ITER: 0, Status.REJECTED: 2, Status.SUCCESS: 1}[status]
        assert abs(float(result.adv[0, 0, 0, 0]) - 0.1 - epsilon) < 1e-6
    fixed = FGS(epsilon=0.5)(Cautious(), x, class_zero(x))
    assert Status(int(fixed.status)) == Status.REJECTED


@pytest.mark.parametrize("mode", ["exact", "minibatch"])
def test_uap_fools_by_no_rejection(mode: Any) -> None:
    x, held_out = at_first_pixels(0.05, 0.1, 0.2, 0.5), at_first_pixels(0.15, 0.45)
    result = UAP(norm="l2", epsilon=0.68, mode=mode, fooling=1.0)(Cautious(), x, class_zero(x), held_out=held_out)
    assert result.eligible.tolist() == [True, True, True, False]
    assert result.success.tolist() == [True, True, True, False]
    assert result.facts["fooling_rate"] == 1
    short = UAP(norm="l2", epsilon=0.45, mode=mode, fooling=1.0)(Cautious(), x, class_zero(x))
    assert short.facts["fooling_rate"] == 0
    assert short.facts["fooling_rate_clipped"] == 0
    assert not short.success.any()
    assert bool((short.status[short.rejected & short.eligible] == Status.REJECTED).all())


def test_uap_looks_ahead_as_the_sequential_algorithm() -> None:
    """One image at a time, or several: an image that the perturbation takes to the rejection is not fooled yet."""
    x = at_first_pixels(*torch.linspace(0.02, 0.28, 30).tolist())
    attack = UAP(norm="l2", epsilon=0.8, passes=1)
    one, many = (attack(Cautious(), x, class_zero(x), batch_size=size) for size in (1, 30))
    assert one.universal is not None
    assert many.universal is not None
    assert torch.allclose(one.universal, many.universal, rtol=0, atol=1e-12)
    assert one.facts["updates"] == many.facts["updates"] > 1


def test_noise_tries_on_where_an_image_is_rejected() -> None:
    """It succeeds if any of its trials does, by brute force."""
    x = at_first_pixels(*torch.linspace(0.2, 0.29, 40).tolist())
    result = Noise(epsilon=0.6, trials=4)(Cautious(), x, class_zero(x))
    keys = image_keys("noise", 0, x, (0.0, 1.0))
    trials = [
        torch.stack([random_direction(key, trial, "l2", (1, 1, 2)) for key in keys]).mul(0.6).add(x).clamp(0, 1)
        for trial in range(4)
    ]
    accepted = torch.stack([trial[:, 0, 0, 0] > 0.7 for trial in trials])
    assert torch.equal(result.success, accepted.any(0))
    turned_away = torch.stack([Cautious()(trial).argmax(1) == 2 for trial in trials])
    assert bool((turned_away[0] & accepted[1:].any(0)).any())  # some are rejected first, and succeed later
    assert torch.equal(result.rejected, turned_away[3] & ~accepted.any(0))


class Wary(Cautious):
    """As `Cautious`, but the logit to reject grows with the second pixel: 1 + 20 (q - .4)."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return torch.cat([logits[:, :2], 1 + 20 * (x[:, 0, 0, 1:] - 0.4)], 1)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_pgd_lowers_the_rejection(loss: Any) -> None:
    """The first pixel reaches .55, where the other class's logit is .5: the second must fall below .375."""
    x = at_first_pixels(0.1)
    result = PGD(epsilon=0.45, loss=loss, random_start=False)(Wary(), x, class_zero(x))
    assert bool(result.success)
    assert float(result.adv[0, 0, 0, 1]) < 0.375


@pytest.mark.parametrize("level", [0.2, 0.55, 0.9])
def test_fooling_images_start_rejected_and_end_accepted(level: float) -> None:
    """At the level or above it in the softmax over all three logits, and past the rejection, where the target's is .5."""
    x = at_first_pixels(0.5, 0.1, 0.5)
    targets = torch.tensor([1, 1, 0])
    attack = Fooling(level=level, early=0.01, late=0.01)
    result = attack(Cautious(), x, class_zero(x), targets=targets)
    assert bool(result.eligible.all())
    assert bool(result.success.all())
    assert torch.equal(result.prediction, targets)
    assert not result.rejected.any()
    reached = Cautious()(result.adv).softmax(1).gather(1, targets[:, None])[:, 0]
    assert bool((reached >= level).all())
    assert bool((reached[[0, 2]] < max(level, 0.5) + 0.03).all())  # the other crosses the rejection in one step
    levels = fooling_levels(attack, Cautious(), x, targets, levels=[0.3, level])
    torch.testing.assert_close(levels[level].adv, result.adv)
    assert torch.equal(levels[level].margin, result.margin)


def test_attacks_from_elsewhere() -> None:
    """They are handed one image at a time and as many logits as there are classes, which decide as the network does."""
    x = at_first_pixels(0.1, 0.2)
    seen: list[Tensor] = []

    def bisect(model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """The first of some images along the first pixel that the model takes for another class."""
        moved = images.clone()
        for value in torch.linspace(0.1, 1, 91):
            moved[:, 0, 0, 0] = value
            logits = model(moved)
            seen.append(logits)
            if bool((logits.argmax(1) != labels).all()):
                break
        return moved

    attack = type("bisect", (PluginAttack,), {"function": staticmethod(bisect)})()
    result = attack(Cautious(), x, class_zero(x))
    assert all(logits.shape == (1, 2) for logits in seen)
    assert bool(result.success.all())
    assert float(result.adv[0, 0, 0, 0]) == pytest.approx(0.71, abs=0.011)


def test_a_librarys_attack() -> None:
    pytest.importorskip("foolbox")
    x = at_first_pixels(0.1, 0.2).float()
    attack = Library(attack="LinfPGD", epsilon=0.65, options={"random_start": False}, norm="linf")
    result = attack(Cautious(), x, class_zero(x))
    assert bool(result.success.all())
    assert not Library(attack="LinfPGD", epsilon=0.4, norm="linf")(Cautious(), x, class_zero(x)).success.any()


def test_the_decision_by_definition() -> None:
    """Of random logits: success without a reject output in what algorithms are handed is success of the network itself."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2000, 5, dtype=torch.float64, generator=generator)
    labels, targets = torch.randint(0, 4, (2, 2000), generator=generator)
    different = labels != targets
    best = z[:, :4].max(1)
    accepted = best.values > z[:, 4]
    assert torch.equal(rejected(z), ~accepted)
    untargeted = margin(without_reject(z, own_classes(labels, None, 4)), labels, None) > 0
    assert torch.equal(untargeted, accepted & (best.indices != labels))
    own = own_classes(labels, targets, 4)
    targeted = margin(without_reject(z, own), labels, targets) > 0
    assert torch.equal(targeted, accepted & (best.indices == targets))
    assert bool((own != targets).all())
    assert torch.equal(own[different], labels[different])


def test_what_it_says_and_refuses() -> None:
    x = at_first_pixels(0.1)
    assert isinstance(Cautious(), Defended)
    facts = DeepFool()(Cautious(), x, class_zero(x)).facts["defense"]
    assert facts == {"differentiable": True, "random": False, "rejects": True, "gradient": "exact"}
    refused = r"labels hold the class 2, the model has the classes 0 to 1: it is that of rejected images.*defense=none"
    with pytest.raises(ValueError, match=refused):
        DeepFool()(Cautious(), x, class_zero(x) + 2)
    with pytest.raises(ValueError, match=refused):
        FGS()(Cautious(), x, class_zero(x) + 2)

    class Two(Cautious):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, :2]

    with pytest.raises(ValueError, match=r"must give logits \(N, classes \+ 1\) of two classes or more"):
        DeepFool()(Two(), x, class_zero(x))
    with pytest.raises(ValueError, match="hot=2"):
        HotCold(hot=2)(Cautious(), x, class_zero(x))
    empty = DeepFool()(Cautious(), x[:0], class_zero(x[:0]))
    assert empty.rejected.shape == (0,)
