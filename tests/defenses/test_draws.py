"""Draws: their distribution, their independence, and that nothing but seed, content and trial determines them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from advlab.defenses.draws import Draw, content_hash, draw_of, mixed, unsigned_shift

MASK = 2**64 - 1


def images(n: int = 6, *, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 5, 4, generator=torch.Generator().manual_seed(seed))


def unsigned(values: torch.Tensor) -> list[int]:
    return [value & MASK for value in values.tolist()]


def splitmix64(state: int) -> int:
    """The output function in Python's whole numbers."""
    z = state & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_the_mixer_is_that_of_splitmix64() -> None:
    """The reference generator, seeded with 1234567, begins with these numbers (Vigna's splitmix64.c)."""
    weyl = 0x9E3779B97F4A7C15
    states = [(1234567 + i * weyl) & MASK for i in (1, 2, 3)]
    assert [splitmix64(state) for state in states] == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    some = torch.randint(-(2**62), 2**62, (1000,), generator=torch.Generator().manual_seed(0)) * 2 + 1
    assert unsigned(mixed(some)) == [splitmix64(value) for value in some.tolist()]
    assert unsigned(unsigned_shift(some, 11)) == [(value & MASK) >> 11 for value in some.tolist()]


def test_the_content_hash_against_whole_numbers_of_python() -> None:
    x = images(3)
    for row, found in zip(x, unsigned(content_hash(x)), strict=True):
        bits = np.ascontiguousarray(row.numpy()).view(np.int32).ravel().tolist()
        total = sum(value * (splitmix64(place) | 1) for place, value in enumerate(bits))
        assert found == splitmix64(total)


def test_draws_depend_on_the_content_alone() -> None:
    x = images()
    keys = draw_of(x, 3).keys
    assert len(set(keys.tolist())) == len(x)
    order = torch.tensor([4, 0, 2])
    assert torch.equal(draw_of(x[order], 3).keys, keys[order])  # order and batch
    assert torch.equal(torch.cat([draw_of(row[None], 3).keys for row in x]), keys)
    assert torch.equal(draw_of(x.double(), 3).keys, keys)  # precision
    assert torch.equal(draw_of(x.contiguous(memory_format=torch.channels_last), 3).keys, keys)  # place in memory
    assert torch.equal(draw_of(x.clone().requires_grad_(), torch.full((6,), 3)).keys, keys)
    zero = torch.zeros(1, 1, 2, 2)
    assert torch.equal(draw_of(zero).keys, draw_of(-zero).keys)
    whole = Draw(keys).normal((7,))
    assert torch.equal(torch.cat([Draw(keys[i : i + 1]).normal((7,)) for i in range(6)]), whole)
    assert not torch.equal(draw_of(x, 4).keys, keys)


def test_large_batches_are_hashed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = images()
    whole = content_hash(x)
    monkeypatch.setattr("advlab.defenses.draws.PIXELS_AT_ONCE", 130)
    assert torch.equal(content_hash(x), whole)


@pytest.mark.parametrize("place", [(0, 0, 0), (2, 4, 3), (1, 2, 2)])
def test_the_smallest_change_of_a_pixel_changes_half_of_the_bits(place: tuple[int, int, int]) -> None:
    x = images(400, seed=1)
    moved = x.clone()
    c, i, j = place
    moved[:, c, i, j] = torch.nextafter(x[:, c, i, j], torch.tensor(2.0))
    different = [
        (a ^ b).bit_count() for a, b in zip(unsigned(content_hash(x)), unsigned(content_hash(moved)), strict=True)
    ]
    assert abs(np.mean(different) - 32) < 5 * 4 / 400**0.5  # binomial: standard deviation 4


def test_exchanged_pixels_give_another_hash() -> None:
    x = images(1)
    assert not torch.equal(content_hash(x), content_hash(x.flip(3)))


@pytest.mark.parametrize("by", ["images", "trials", "positions", "streams"])
def test_distributions(by: str) -> None:
    """Uniform and normal numbers over images, trials, positions and streams (seeds), against their distributions."""
    n = 20000
    x = images(1)
    shape: tuple[int, ...] = ()
    if by == "images":
        draw = draw_of(torch.arange(n).float().view(n, 1, 1, 1) / n)
    elif by == "trials":
        draw = draw_of(x.expand(n, -1, -1, -1), torch.arange(n))
    elif by == "positions":
        draw, shape = draw_of(x), (n,)
    else:
        key = draw_of(x)
        draw = Draw(torch.cat([key.stream(seed).keys for seed in range(n)]))
    uniform, normal = draw.uniform(shape).flatten().numpy(), draw.normal(shape).flatten().numpy()
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert abs(normal.mean()) < 5 / n**0.5
    assert abs(normal.var() - 1) < 5 * (2 / n) ** 0.5
    assert abs(stats.skew(normal)) < 5 * (6 / n) ** 0.5
    assert abs(stats.kurtosis(normal)) < 5 * (24 / n) ** 0.5
    counts = np.bincount(draw.integers(4, shape).flatten().numpy(), minlength=4)
    assert len(counts) == 4
    assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(normal[1:], normal[:-1])[0, 1]) < 5 / n**0.5


def test_trials_images_and_streams_are_uncorrelated() -> None:
    x, shape = images(2), (20000,)
    first = draw_of(x, 0)
    rows = [
        *first.normal(shape),
        *draw_of(x, 1).normal(shape),
        *first.stream(0).normal(shape),
        *first.stream(1).normal(shape),
    ]
    correlations = np.corrcoef(torch.stack(rows).numpy()) - np.eye(len(rows))
    assert np.abs(correlations).max() < 5 / 20000**0.5


def test_streams() -> None:
    draw = draw_of(images())
    assert not torch.equal(draw.stream(0).keys, draw.keys)
    assert torch.equal(draw.stream(5).keys, draw.stream(5).keys)
    assert not torch.equal(draw.stream(1).stream(2).keys, draw.stream(2).stream(1).keys)
    assert not torch.equal(draw.stream(-1).keys, draw.stream(1).keys)
