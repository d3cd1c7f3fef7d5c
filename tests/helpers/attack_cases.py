"""Every attack with some of its hyperparameters, and what the suite of all attacks must know of each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import (
    APGD,
    FGS,
    FGV,
    LBFGS,
    PGD,
    UAP,
    Attack,
    DeepFool,
    Fooling,
    HotCold,
    Library,
    Noise,
    Saliency,
)
from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.norms import norms_of_each
from advlab.attacks.results import AttackResult

CLASSES = 4


@dataclass(frozen=True)
class Case:
    """One attack with some of its hyperparameters, and what the suite must know of it beside its traits.

    Attributes:
        best: norm in which its direction is the shortest on two opposite logits, where it is not `norm_name`.
        nearest: also the shortest among several linear boundaries.
        confined: takes a basis.
    """

    attack: Attack
    targeted: bool = False
    best: str = ""
    nearest: bool = False
    confined: bool = False


@dataclass
class Setting:
    """A network with images, mostly eligible; the last of several has a wrong label."""

    model: nn.Module
    x: Tensor
    y: Tensor
    extra: dict[str, Any] = field(default_factory=dict)

    def run(self, attack: Attack, rows: Any = slice(None), **options: Any) -> AttackResult:
        extra = {k: v[rows] if k == "targets" else v for k, v in self.extra.items()}
        return attack(self.model, self.x[rows], self.y[rows], **extra, **options)


CASES: dict[str, list[Case]] = {
    "fgs": [
        Case(FGS()),
        Case(FGS(), targeted=True),
        Case(FGS(exhaustive=True, bisections=0)),
        Case(FGS(discrete=True)),
        Case(FGS(epsilon=0.15)),
    ],
    "fgv": [
        Case(FGV(), best="l2"),
        Case(FGV(), best="l2", targeted=True),
        Case(FGV(epsilon=0.3), best="weight"),
    ],
    "hot_cold": [
        Case(HotCold(), best="l2"),
        Case(HotCold(), best="l2", targeted=True),
        Case(HotCold(hot=0), best="l2"),
        Case(HotCold(reach=True), best="l2", targeted=True),
    ],
    "saliency": [Case(Saliency(), best="l2"), Case(Saliency(), best="l2", targeted=True)],
    "noise": [
        Case(Noise(epsilon=0.5)),
        Case(Noise(norm="linf", epsilon=0.2, trials=3), targeted=True),
    ],
    "deepfool": [
        Case(DeepFool(), nearest=True),
        Case(DeepFool(), targeted=True),
        Case(DeepFool(norm="linf"), nearest=True),
        Case(DeepFool(flavour="matlab"), nearest=True),
        Case(DeepFool(exact=True), nearest=True),
        Case(DeepFool(clip="none"), nearest=True, confined=True),
        Case(DeepFool(clip="none", flavour="matlab"), targeted=True, confined=True),
        Case(DeepFool(refine=True), nearest=True),
        Case(DeepFool(refine=True), targeted=True),
        Case(DeepFool(discrete=True)),
        Case(DeepFool(discrete=True, refine=True), targeted=True),
    ],
    "uap": [
        Case(UAP(epsilon=0.15, passes=2)),
        Case(UAP(norm="l2", epsilon=1.0, passes=2)),
        Case(UAP(mode="minibatch", images=3, epsilon=0.15, passes=2)),
    ],
    "lbfgs": [Case(LBFGS(searches=5, max_iter=15)), Case(LBFGS(searches=5, max_iter=15), targeted=True)],
    "pgd": [
        Case(PGD(random_start=False, epsilon=0.1, steps=20)),
        Case(PGD(epsilon=0.1, steps=20, restarts=2)),
        Case(PGD(norm="l2", epsilon=0.5, loss="margin"), targeted=True),
        Case(PGD(epsilon=0.2, steps=20, discrete=True)),
    ],
    "apgd": [
        Case(APGD(epsilon=0.1, steps=20)),
        Case(APGD(norm="l2", epsilon=0.5, steps=12), targeted=True),
        Case(APGD(norm="l2", epsilon=0.5, steps=12, loss="dlr", restarts=2)),
    ],
    "fooling": [Case(Fooling(level=0.9, max_iter=200, early=30.0, late=100.0), targeted=True)],
    "library": [
        Case(Library(attack="L2DeepFoolAttack")),
        Case(Library(attack="LinfFastGradientAttack", norm="linf", epsilon=0.15)),
    ],
}


def ids(case: Case) -> str:
    """The name of a case: the attack, and the hyperparameters that differ from its defaults."""
    fields = [f for f in dataclasses.fields(case.attack) if f.name != "options"]
    changed = [f"{f.name}={getattr(case.attack, f.name)}" for f in fields if getattr(case.attack, f.name) != f.default]
    return "-".join([case.attack.label, *changed, *(["targeted"] if case.targeted else [])])


ALL = [case for cases in CASES.values() for case in cases]
every = pytest.mark.parametrize("case", ALL, ids=ids)
one_by_one = pytest.mark.parametrize("case", [c for c in ALL if not c.attack.set_level], ids=ids)


def moved(setting: Setting, result: AttackResult, norm: str) -> Tensor:
    """(N,) lengths of the perturbations."""
    return norms_of_each(result.adv - setting.x, norm)


def fixed_length(attack: Attack) -> bool:
    """Whether the user chooses how far the images move."""
    return (isinstance(attack, GradientSearch) and attack.epsilon > 0) or isinstance(attack, Noise | PGD | APGD)


def remake(attack: Attack, kind: type[Attack] | None = None, **changes: Any) -> Any:
    """A copy of an attack with other hyperparameters, or of another class."""
    values = {f.name: getattr(attack, f.name) for f in dataclasses.fields(attack)}
    return (kind or type(attack))(**{**values, **changes})


def same_results(a: AttackResult, b: AttackResult, tolerance: float = 1e-7) -> None:
    """Assert equal status and steps, and images equal up to `tolerance` of the range of a pixel."""
    assert torch.equal(a.status, b.status)
    assert torch.equal(a.steps, b.steps)
    assert torch.allclose(a.adv, b.adv, atol=tolerance, rtol=0)
