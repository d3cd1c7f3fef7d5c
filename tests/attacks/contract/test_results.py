"""What every attack gives back: shapes, images, success, counts, all of them as they say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from advlab.attacks import APGD, PGD, Noise
from advlab.attacks.logits import margin
from advlab.attacks.status import Status
from tests.helpers.attack_cases import ALL, Case, Setting, every, fixed_length, ids, moved, remake, same_results

SHAPES = [(1, 7, 5), (3, 8, 8), (2, 5, 9)]


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_what_comes_back_is_what_it_says(
    case: Case, n: int, shape: tuple[int, int, int], setting: Callable[..., Setting]
) -> None:
    s, attack = setting(case, n, shape, torch.float32), case.attack
    seen: list[int] = []
    s.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    before = [s.x.clone(), s.y.clone(), torch.get_rng_state()]
    result = s.run(attack)
    assert sum(seen) == result.forwards
    assert torch.equal(s.x, before[0])
    assert torch.equal(s.y, before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert result.adv.shape == s.x.shape
    assert result.adv.dtype == s.x.dtype
    assert result.adv.data_ptr() != s.x.data_ptr() or not n
    for name in ("success", "eligible", "status", "prediction", "margin", "distance", "steps", "epsilon"):
        values = getattr(result, name)
        assert values.shape == (n,)
        assert not values.requires_grad
        assert not values.is_inference()
    clip = getattr(attack, "clip", "each")
    if clip != "none" and n:
        assert float(result.adv.min()) >= 0
        assert float(result.adv.max()) <= 1
    if n:
        with torch.no_grad():
            logits, t, y = s.model(result.adv), s.extra.get("targets"), s.y
            if attack.set_level:  # it is to change what the network says, right or wrong
                y = s.model(s.x).argmax(1)
        assert torch.equal(result.prediction, logits.argmax(1))
        assert torch.allclose(result.margin, margin(logits, y, attack.goal(t)), atol=1e-4)
        assert torch.allclose(result.distance, moved(s, result, attack.norm_name), atol=1e-5)
        assert torch.equal(result.success, result.eligible & attack.achieved(logits, y, t))
        assert torch.equal(result.success, result.status == Status.SUCCESS)
    assert torch.equal(result.eligible, result.status != Status.INELIGIBLE)
    assert torch.equal(result.adv[~result.eligible], s.x[~result.eligible])
    if attack.needs_correct:
        assert int(result.eligible.sum()) == (n if n <= 3 else n - 1)
    if n == 8 and attack.minimal and not attack.set_level and not fixed_length(attack):
        assert int(result.success.sum()) > int(result.eligible.sum()) / 2
        assert result.backwards > 0


@pytest.mark.parametrize("case", [c for c in ALL if c.confined], ids=ids)
def test_subspaces(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    size = s.x[0].numel()
    q = torch.linalg.qr(torch.randn((size, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    same_results(s.run(case.attack), s.run(case.attack, basis=q), 1e-6)
    part = q[:, : size // 3]
    result = s.run(case.attack, basis=part)
    r = (result.adv - s.x).flatten(1)[result.eligible]
    assert float((r - r @ part @ part.T).norm(dim=1).max()) < 1e-6
    assert float(r.norm(dim=1).min()) > 1e-3
    assert bool(result.success.any())


@pytest.mark.parametrize(
    "case", [c for c in ALL if isinstance(c.attack, Noise | PGD | APGD)], ids=ids
)  # a search takes 0 as "the smallest"
def test_no_length_is_no_change(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    result = s.run(remake(case.attack, epsilon=0.0))
    assert torch.equal(result.adv, s.x)
    assert not result.success.any()
