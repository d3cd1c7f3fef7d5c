"""Every attack on linear networks, whose smallest perturbations are known in closed form; a no-op fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from advlab.attacks import APGD, UAP, Attack, Fooling, Noise
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from tests.helpers.attack_cases import ALL, Case, every, fixed_length, ids, moved, remake

# What a no-op must fail. Each takes the attack, so that another can be put in its place.


def check_shortest(case: Case, attack: Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    result, norm = setting.run(attack), case.best or attack.norm_name
    assert bool(result.success.all())
    ratio = moved(setting, result, norm) / optimum[norm]
    assert 1 - 1e-9 <= float(ratio.min()) <= float(ratio.max()) <= 1.05


def check_length(case: Case, attack: Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    for share, found in ((1.05, True), (0.95, False)):
        length = share * optimum[case.best or attack.norm_name]
        at = remake(attack, epsilon=length)
        if isinstance(at, APGD):
            at = remake(at, loss="ce")  # the only one for two classes
        result = setting.run(at)
        if not isinstance(attack, Noise):  # along the normal, just far enough or not quite
            assert bool((result.success == found).all())
        moves = moved(setting, result, attack.norm_name)
        if isinstance(attack, APGD) and found:  # it stops at its first success
            assert optimum[attack.norm_name] <= float(moves.min()) <= float(moves.max()) <= length * (1 + 1e-6)
        else:
            level = 1 / 255 if getattr(attack, "discrete", False) else 0.0
            assert moves == pytest.approx(torch.full((4,), length).double(), rel=1e-6, abs=level)


def check_common(case: Case, attack: Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    result = setting.run(remake(attack, epsilon=1.1 * optimum[attack.norm_name], fooling=1.0, passes=50))
    assert result.universal is not None
    assert bool(result.success.all())
    assert float(norms_of_each(result.universal[None], attack.norm_name)) <= 1.1 * optimum[attack.norm_name] * (
        1 + 1e-9
    )
    assert torch.allclose(result.adv, (setting.x + result.universal).clamp(0, 1))


def check_level(case: Case, attack: Attack, two_sided: Callable[..., Any]) -> None:
    assert isinstance(attack, Fooling)
    setting, _ = two_sided(case)
    result = setting.run(attack)
    assert bool(result.success.all())
    with torch.no_grad():
        assert float(torch.softmax(setting.model(result.adv), 1)[:, 1].min()) >= attack.level


def check_flips(case: Case, attack: Attack, two_sided: Callable[..., Any]) -> None:
    setting, _ = two_sided(case)
    assert bool(setting.run(attack).success.all())


def key_check(case: Case) -> Callable[..., None]:
    attack = case.attack
    if isinstance(attack, UAP):
        return check_common
    if isinstance(attack, Fooling):
        return check_level
    if fixed_length(attack):
        return check_length
    return check_shortest if attack.minimal else check_flips


def no_op(attack: Attack) -> Attack:
    """One that claims success and returns the images as they are."""

    def method(problem: Problem, params: Any) -> AlgorithmResult:
        n = len(problem)
        nothing = torch.zeros(n, dtype=torch.int64)
        return AlgorithmResult(
            problem.x.clone(), nothing, nothing, universal=torch.zeros(problem.x.shape[1:]).to(problem.x)
        )

    return remake(attack, type("NoOp", (type(attack),), {"run": lambda self, problem: method(problem, self)}))


@every
def test_closed_form(case: Case, two_sided: Callable[..., Any]) -> None:
    key_check(case)(case, case.attack, two_sided)


@every
def test_a_no_op_fails(case: Case, two_sided: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        key_check(case)(case, no_op(case.attack), two_sided)


@pytest.mark.parametrize("case", [c for c in ALL if c.nearest], ids=ids)
def test_nearest_of_several_planes(case: Case, linear: type[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(3)
    w = torch.randn((5, 24), generator=generator, dtype=torch.float64)
    x = torch.empty((32, 2, 3, 4), dtype=torch.float64).uniform_(0.2, 0.8, generator=generator)
    b = -(x.flatten(1) @ w.T).mean(0)
    model = linear(w, b)
    with torch.no_grad():
        logits = model(x)
    y = logits.argmax(1)
    norm = case.attack.norm_name
    gaps = logits.gather(1, y[:, None]) - logits
    away = torch.linalg.vector_norm(w[:, None] - w[None], ord=2 if norm == "l2" else 1, dim=2)[y]
    planes = torch.where(gaps > 0, gaps / away, torch.inf)
    optimum = planes.min(1).values
    ok = optimum > 0.02  # where the 1e-4 that DeepFool adds is nothing
    assert ok.sum() > 8
    assert planes.argmin(1)[ok].unique().numel() > 2
    result = case.attack(model, x, y)
    assert bool(result.success.all())
    ratio = (norms_of_each(result.adv - x, norm) / optimum)[ok]
    assert 1 - 1e-9 <= float(ratio.min()) <= float(ratio.max()) <= 1.05
