"""What must not change any attack's result: other images, batches, modes, pixel units, precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks.results import AttackResult
from tests.helpers.attack_cases import Case, Setting, every, one_by_one, same_results
from tests.helpers.long_cases import one_in


@one_by_one
def test_the_other_images_do_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    together = s.run(case.attack)
    for i in range(8):
        same_results(one(together, slice(i, i + 1)), s.run(case.attack, slice(i, i + 1)))
    order = torch.tensor([3, 7, 0, 5, 1, 2, 6, 4])
    same_results(one(together, order), s.run(case.attack, order))


def one(result: AttackResult, rows: Any) -> AttackResult:
    return dataclasses.replace(
        result, **{name: getattr(result, name)[rows] for name in ("adv", "status", "steps", "success", "distance")}
    )


@every
@pytest.mark.parametrize("batch_size", one_in(2, [3, 1]))
def test_the_batch_size_does_not_matter(case: Case, batch_size: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    seen: list[int] = []
    expected = s.run(case.attack)
    s.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    same_results(expected, s.run(case.attack, batch_size=batch_size))
    assert max(seen) <= batch_size


@every
def test_the_mode_of_the_caller_does_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    expected = s.run(case.attack)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            same_results(expected, s.run(case.attack))
    wide = torch.zeros((*s.x.shape[:3], 2 * s.x.shape[3])).to(s.x)
    wide[..., ::2] = s.x
    same_results(expected, dataclasses.replace(s, x=wide[..., ::2]).run(case.attack))
    same_results(expected, dataclasses.replace(s, x=s.x.clone().requires_grad_()).run(case.attack))
    same_results(expected, dataclasses.replace(s, x=s.x.contiguous(memory_format=torch.channels_last)).run(case.attack))
    # torch's types leave out that modules have a memory format
    last = setting(case).model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    same_results(expected, dataclasses.replace(s, model=last).run(case.attack))


class Divided(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x / 255 + 0.5)


@every
def test_the_pixel_unit_does_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    scaled = Setting(Divided(s.model), (s.x - 0.5) * 255, s.y, s.extra)
    expected, result = s.run(case.attack), scaled.run(case.attack, bounds=(-127.5, 127.5))
    assert torch.equal(expected.status, result.status)
    assert torch.allclose(expected.adv, result.adv / 255 + 0.5, atol=1e-6)
    assert torch.allclose(expected.distance, result.distance, atol=1e-6)
    assert torch.allclose(expected.epsilon, result.epsilon, atol=1e-6, equal_nan=True)


@every
def test_both_precisions_agree(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    single = setting(case, dtype=torch.float32)
    exact, result = s.run(case.attack), single.run(case.attack)
    assert exact.adv.dtype == torch.float64
    assert result.adv.dtype == torch.float32
    assert torch.equal(exact.status, result.status)
    assert torch.allclose(exact.distance, result.distance.double(), rtol=1e-2, atol=1e-4)


@every
def test_a_function_is_as_good_as_a_module(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    s.model.requires_grad_(False)
    function: Any = s.model.forward
    same_results(s.run(case.attack), dataclasses.replace(s, model=function).run(case.attack))
