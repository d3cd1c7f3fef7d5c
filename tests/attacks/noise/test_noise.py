"""The noise is a function of (seed, image, trial) alone, of exact length, and without a preferred direction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import Noise
from advlab.attacks.status import Status

WIDE = (-500.0, 500.0)  # nothing is clipped


class Never(nn.Module):
    """Says class 0 whatever it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([3.0, 0.0]).to(x) + 0 * x.flatten(1)[:, :2]


class Halves(nn.Module):
    """Class 1 where the sum of the pixels is above that of the clean images (0)."""

    def forward(self, x: Tensor) -> Tensor:
        s = x.flatten(1).sum(1)
        return torch.stack([torch.zeros_like(s), s - 1e-9], 1)


def images(n: int = 12, shape: tuple[int, int, int] = (3, 5, 4)) -> tuple[Tensor, Tensor]:
    x = torch.rand((n, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (x * 255).round() / 255, torch.zeros(n, dtype=torch.int64)


def test_lengths() -> None:
    x, y = images()
    for unit, bounds in ((1.0, WIDE), (1000.0, (-0.5e6, 0.5e6))):
        r = Noise(epsilon=0.01)(Never(), x * unit, y, bounds=bounds).adv - x * unit
        assert torch.allclose(r.flatten(1).norm(dim=1), torch.full((12,), 10 * unit, dtype=torch.float64))
        r = Noise(norm="linf", epsilon=0.01)(Never(), x * unit, y, bounds=bounds).adv - x * unit
        assert torch.allclose(r.abs(), torch.full_like(r, 10 * unit))
    inside = Noise(epsilon=30.0)(Never(), x, y)
    assert 0 <= float(inside.adv.min()) <= float(inside.adv.max()) <= 1
    assert float(((inside.adv == 0) | (inside.adv == 1)).double().mean()) > 0.5
    assert bool((inside.status == Status.MAX_ITER).all())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_no_direction_is_preferred(norm: str) -> None:
    generator = torch.Generator().manual_seed(1)
    x = (torch.arange(400.0).view(400, 1, 1, 1) / 400).expand(400, 1, 4, 4).contiguous().double()
    x = torch.cat(
        [(x * 255).round() / 255 + 0 * x, torch.rand((600, 1, 4, 4), generator=generator, dtype=torch.float64)]
    )
    x = x[torch.unique((x * 255).round().flatten(1), dim=0, return_inverse=True)[1].unique()]
    r = Noise(norm=norm, epsilon=0.001)(  # type: ignore[arg-type]
        Never(), x, torch.zeros(len(x), dtype=torch.int64), bounds=WIDE
    ).adv
    r = (r - x).flatten(1)
    r = r / r.norm(dim=1, keepdim=True)
    second = r.T @ r / len(r)
    assert float(r.mean(0).abs().max()) < 5 / 4 / len(r) ** 0.5
    assert torch.allclose(second.diagonal(), torch.full((16,), 1 / 16, dtype=torch.float64), atol=0.03)
    assert float((second - second.diagonal().diag()).abs().max()) < 0.02


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_draw_depends_on_seed_image_and_trial_alone(norm: str) -> None:
    x, y = images()
    attack = Noise(norm=norm, epsilon=0.1)  # type: ignore[arg-type]
    whole = attack(Never(), x, y).adv
    order = torch.tensor([5, 0, 11, 3])
    assert torch.equal(attack(Never(), x[order], y[order], batch_size=3).adv, whole[order])
    assert torch.allclose(attack(Never(), x.float(), y).adv.double(), whole, atol=1e-6)
    assert torch.allclose(attack(Never(), x * 255, y, bounds=(0, 255)).adv / 255, whole, atol=1e-12)
    other = Noise(norm=norm, epsilon=0.1, seed=1)(Never(), x, y).adv  # type: ignore[arg-type]
    assert not torch.equal(other[0], whole[0])
    twice = attack(Never(), x[[0, 0]], y[:2]).adv
    assert torch.equal(twice[0], twice[1])
    changed = x[:1].clone()
    changed[0, 0, 0, 0] = 1 - changed[0, 0, 0, 0]
    moved = attack(Never(), changed, y[:1]).adv[0] - changed[0]
    assert float((moved - (whole[0] - x[0])).flatten()[1:].abs().max()) > 1e-3
    last = Noise(norm=norm, epsilon=0.1, trials=2)(Never(), x, y)  # type: ignore[arg-type]
    assert not torch.equal(last.adv, whole)
    assert bool((last.steps == 2).all())


def test_the_first_trial_that_flips_is_returned() -> None:
    x = torch.zeros((60, 1, 3, 3), dtype=torch.float64)
    x[:, 0, 0, 0] = torch.arange(60) / 255
    x[:, 0, 0, 1] = -x[:, 0, 0, 0]
    y = torch.zeros(60, dtype=torch.int64)
    found = Noise(epsilon=0.001, trials=6)(Halves(), x, y, bounds=WIDE)
    for trials in range(1, 7):
        fewer = Noise(epsilon=0.001, trials=trials)(Halves(), x, y, bounds=WIDE)
        done = found.success & (found.steps <= trials)
        assert torch.equal(fewer.success, done)
        assert torch.equal(fewer.adv[done], found.adv[done])
    assert bool((found.status[~found.success] == Status.MAX_ITER).all())
    assert found.steps.unique().numel() > 2
    assert found.forwards < 60 * 6  # what has flipped is not tried again
