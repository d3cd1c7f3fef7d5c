"""Every attack on models that fail, give NaN or have no slope: it ends, and leaves the model as it was."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import APGD, LBFGS, PGD, UAP, Library
from advlab.attacks.status import Status
from tests.helpers.attack_cases import Case, Setting, every


class Fails(nn.Module):
    """Stops working after some forwards: by an exception, or by NaN."""

    def __init__(self, model: nn.Module, good: int, raises: bool) -> None:
        super().__init__()
        self.model, self.left, self.raises = model, good, raises

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        assert self.left > -3000, "the attack does not end"
        if self.left < 0 and self.raises:
            raise RuntimeError("no more")
        return self.model(x) * (1.0 if self.left >= 0 else torch.nan)


@every
@pytest.mark.parametrize("good", [0, 1, 2, 1000])
def test_the_model_is_left_as_it_was(case: Case, good: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    model = Fails(s.model, good, raises=True)
    s.model.train()
    assert isinstance(s.model, nn.Sequential)
    s.model[1].eval()
    s.model[0].weight.requires_grad_(False)
    marks = {name: torch.full_like(p, 7.0) for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.grad = marks[name]

    def state() -> list[Any]:
        wanted = [p.requires_grad for p in model.parameters()]
        return [[m.training for m in model.modules()], wanted, [b.clone() for b in model.buffers()]]

    before = state()
    fails = pytest.raises((RuntimeError, ValueError), match="no more") if good < 2 else contextlib.nullcontext()
    with contextlib.suppress(RuntimeError, ValueError) if good == 2 else fails:
        dataclasses.replace(s, model=model).run(case.attack)
    after = state()
    assert after[:2] == before[:2]
    assert all(torch.equal(a, b) for a, b in zip(after[2], before[2], strict=True))
    for name, parameter in model.named_parameters():
        assert parameter.grad is marks[name]
        assert bool((parameter.grad == 7).all())


@every
@pytest.mark.parametrize("good", [0, 1, 2, 3])
@pytest.mark.filterwarnings("ignore")
def test_logits_that_are_not_numbers(case: Case, good: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    model = Fails(s.model, good, raises=False)
    result = dataclasses.replace(s, model=model).run(case.attack)
    assert bool(torch.isfinite(result.adv).all())
    assert model.left >= 0 or not result.success.any()
    if good == 0:
        assert bool((result.status == Status.NONFINITE).all())
        assert torch.equal(result.adv, s.x)
        assert not result.eligible.any()


class NoSlope(nn.Module):
    """Constant logits, as far as a gradient tells: its own is 0, or NaN."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.tensor([2.0, 1.0, 0.5, -3.0]).to(x) + 0 * x.flatten(1)[:, :4]
        return logits if self.kind == "zero" else logits + (0 * x.flatten(1).sum(1, keepdim=True)).sqrt()


@every
@pytest.mark.parametrize("kind", ["zero", "nan"])
@pytest.mark.filterwarnings("ignore")
def test_gradients_that_lead_nowhere(case: Case, kind: str, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    y = torch.zeros(8, dtype=torch.int64)
    result = Setting(NoSlope(kind), s.x, y, {"targets": y + 1} if case.targeted else {}).run(case.attack)
    assert bool(result.eligible.all())
    assert not result.success.any()
    assert bool(torch.isfinite(result.adv).all())
    if result.backwards and not isinstance(case.attack, Library | UAP | LBFGS | PGD | APGD):
        expected = Status.ZERO_GRADIENT if kind == "zero" else Status.NONFINITE
        assert bool((result.status == expected).all())
