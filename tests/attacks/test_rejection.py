"""Attacks on networks with a reject output: another class must beat both the label and the rejection, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, FGV, LBFGS, PGD, UAP, Attack, DeepFool, Fooling, HotCold, Library, Noise, Saliency
from advlab.attacks.defended import Defended
from advlab.attacks.external.plugin.params import PluginAttack
from advlab.attacks.logits import margin
from advlab.attacks.rejection import accepted_alone, own_classes, rejected, without_reject
from advlab.attacks.status import Status

MINIMAL = [
    DeepFool(), DeepFool(exact=True), DeepFool(norm="linf"), DeepFool(flavour="matlab"), DeepFool(refine=True), FGS(), FGV(),
    HotCold(), HotCold(hot=0, reach=True), LBFGS(), LBFGS(away="label"), Saliency(), FGS(exhaustive=True),
]  # fmt: skip


class Cautious(nn.Module):
    """Logits -10 (p - .5), 10 (p - .5) and 2 to reject, of the first pixel p: class 0 below .3, class 1 above .7, else rejected."""

    differentiable, random, rejects = True, False, True

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Any:
        raise AssertionError("nothing is drawn of a network that is not random")

    def logits(self, x: Tensor, draw: Any = None) -> Tensor:
        return self(x)

    def forward(self, x: Tensor) -> Tensor:
        rise = 10 * (x[:, 0, 0, 0] - 0.5)
        return torch.stack([-rise, rise, torch.full_like(rise, 2.0)], 1)


def images(*first: float) -> Tensor:
    """(n, 1, 1, 2) float64 with these first pixels."""
    x = torch.full((len(first), 1, 1, 2), 0.4, dtype=torch.float64)
    x[:, 0, 0, 0] = torch.tensor(first, dtype=torch.float64)
    return x


def zeros(x: Tensor) -> Tensor:
    return torch.zeros(len(x), dtype=torch.int64)


@pytest.mark.parametrize("attack", MINIMAL, ids=repr)
@pytest.mark.parametrize("targeted", [False, True])
def test_minimal_attacks_go_past_the_rejection(attack: Attack, targeted: bool) -> None:
    """The nearest image of class 1 is at .7: neither the boundary between the classes, .5, nor that of the rejection, .3."""
    if isinstance(attack, HotCold) and attack.hot == 0 and targeted:
        pytest.skip("targets are the hot classes instead")
    x = images(0.1, 0.25, 0.5, 0.9)
    targets = zeros(x) + 1 if targeted else None
    result = attack(Cautious(), x, zeros(x), targets=targets)
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
    x = images(0.1)
    for epsilon, status in ((0.15, Status.MAX_ITER), (0.5, Status.REJECTED), (0.65, Status.SUCCESS)):
        result = PGD(epsilon=epsilon, norm=norm, loss=loss, random_start=False)(Cautious(), x, zeros(x))
        assert Status(int(result.status)) == status
        assert bool(result.success) == (status == Status.SUCCESS)
        assert bool(result.rejected) == (status == Status.REJECTED)
        assert int(result.prediction) == {Status.MAX_ITER: 0, Status.REJECTED: 2, Status.SUCCESS: 1}[status]
        assert abs(float(result.adv[0, 0, 0, 0]) - 0.1 - epsilon) < 1e-6
    fixed = FGS(epsilon=0.5)(Cautious(), x, zeros(x))
    assert Status(int(fixed.status)) == Status.REJECTED


@pytest.mark.parametrize("mode", ["exact", "minibatch"])
def test_uap_fools_by_no_rejection(mode: Any) -> None:
    x, held_out = images(0.05, 0.1, 0.2, 0.5), images(0.15, 0.45)
    result = UAP(norm="l2", epsilon=0.68, mode=mode, fooling=1.0)(Cautious(), x, zeros(x), held_out=held_out)
    assert result.eligible.tolist() == [True, True, True, False]
    assert result.success.tolist() == [True, True, True, False]
    assert result.facts["fooling_rate"] == 1
    short = UAP(norm="l2", epsilon=0.45, mode=mode, fooling=1.0)(Cautious(), x, zeros(x))
    assert short.facts["fooling_rate"] == 0
    assert short.facts["fooling_rate_clipped"] == 0
    assert not short.success.any()
    assert bool((short.status[short.rejected & short.eligible] == Status.REJECTED).all())


def test_noise() -> None:
    x = images(*[0.28] * 40)
    result = Noise(norm="linf", epsilon=0.1, trials=5)(
        Cautious(), x + torch.arange(40).view(-1, 1, 1, 1) * 1e-4, zeros(x)
    )
    assert not result.success.any()
    assert bool(result.rejected.any())
    far = Noise(norm="linf", epsilon=0.45, trials=5)(
        Cautious(), x + torch.arange(40).view(-1, 1, 1, 1) * 1e-4, zeros(x)
    )
    assert torch.equal(far.success, far.adv[:, 0, 0, 0] > 0.7)
    assert bool(far.success.any())


def test_fooling_images_start_rejected_and_end_accepted() -> None:
    x = images(0.5, 0.1, 0.5)
    targets = torch.tensor([1, 1, 0])
    attack = Fooling(level=0.6, max_iter=400, early=30.0, late=100.0)
    result = attack(Cautious(), x, zeros(x), targets=targets)
    assert bool(result.eligible.all())
    assert bool(result.success.all())
    assert torch.equal(result.prediction, targets)
    assert not result.rejected.any()


def test_attacks_from_elsewhere() -> None:
    """They are handed as many logits as there are classes, which decide as the network does."""
    x = images(0.1, 0.2)
    seen: list[Tensor] = []

    def bisect(model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """The first of some images along the first pixel that the model takes for another class."""
        moved = images.clone()
        moved[:, 0, 0, 0] = torch.linspace(0, 1, 41)[:, None].to(images).max(1).values.max()
        for value in torch.linspace(0.1, 1, 91):
            moved[:, 0, 0, 0] = value
            logits = model(moved)
            seen.append(logits)
            if bool((logits.argmax(1) != labels).all()) and bool((logits.amax(1) > logits.amin(1)).all()):
                break
        return moved

    attack = type("bisect", (PluginAttack,), {"function": staticmethod(bisect)})()
    result = attack(Cautious(), x, zeros(x))
    assert all(logits.shape == (2, 2) for logits in seen)
    assert bool(result.success.all())
    assert float(result.adv[0, 0, 0, 0]) == pytest.approx(0.71, abs=0.011)


def test_a_librarys_attack() -> None:
    pytest.importorskip("foolbox")
    x = images(0.1, 0.2).float()
    attack = Library(attack="LinfPGD", epsilon=0.65, options={"random_start": False}, norm="linf")
    result = attack(Cautious(), x, zeros(x))
    assert bool(result.success.all())
    assert not Library(attack="LinfPGD", epsilon=0.4, norm="linf")(Cautious(), x, zeros(x)).success.any()


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
    outside = margin(accepted_alone(z), labels, None) > 0
    assert torch.equal(outside, untargeted)


def test_what_it_says_and_refuses() -> None:
    x = images(0.1)
    assert isinstance(Cautious(), Defended)
    facts = DeepFool()(Cautious(), x, zeros(x)).facts["defense"]
    assert facts == {"differentiable": True, "random": False, "rejects": True, "gradient": "exact"}
    with pytest.raises(ValueError, match="labels hold the class 2, the model has the classes 0 to 1"):
        DeepFool()(Cautious(), x, zeros(x) + 2)
    with pytest.raises(ValueError, match="labels hold the class 2, the model has the classes 0 to 1"):
        FGS()(Cautious(), x, zeros(x) + 2)

    class Two(Cautious):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, :2]

    with pytest.raises(ValueError, match=r"must give logits \(N, classes \+ 1\) of two classes or more"):
        DeepFool()(Two(), x, zeros(x))
    with pytest.raises(ValueError, match="hot=2"):
        HotCold(hot=2)(Cautious(), x, zeros(x))
    empty = DeepFool()(Cautious(), x[:0], zeros(x[:0]))
    assert empty.rejected.shape == (0,)
