"""The noise is a function of (seed, dataset, sample, radius, trial) alone, uniform, and scaled to its radius."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from advlab.models.forward import Execution
from advlab.probes.draws import BLOCK, Draws, norms
from advlab.probes.sphere import Sphere
from advlab.probes.sweep import equal_ranges, sphere_batches

CPU = torch.device("cpu")


def draws(seed: int = 0, dataset: str = "digits/test", size: int = 12) -> Draws:
    return Draws(seed=seed, dataset=dataset, size=size, device=CPU, portable=False)


def unit(source: Draws, sample: int, radius: int, trials: int, start: int = 0) -> Tensor:
    out = torch.empty(1, trials, source.size)
    source.write_directions([(sample, radius)], out, start)
    return out[0]


def test_known_values_never_change() -> None:
    """The definition of the noise: another generator, key or counter would change every published number."""
    found = unit(draws(size=3), sample=7, radius=2, trials=2).flatten().tolist()
    assert found == pytest.approx(reference(0, "digits/test", 7, 2, 0, 2, 3).flatten().tolist(), abs=0)


def reference(
    seed: int, dataset: str, sample: int, radius: int, block: int, rows: int, size: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The documented definition, written once more."""
    digest = hashlib.sha256(f"advlab noise 2/{seed}/{dataset}/{sample}/{radius}/{block}".encode()).digest()
    words = np.random.PCG64DXSM(0)
    state, increment = int.from_bytes(digest[:16], "little"), int.from_bytes(digest[16:], "little") | 1
    words.state = {**words.state, "state": {"state": state, "inc": increment}}
    halves = [half for word in words.random_raw(rows * size).tolist() for half in (word & 0xFFFFFFFF, word >> 32)]
    signed = [half - 2**32 if half >= 2**31 else half for half in halves[: rows * size]]
    return (np.array(signed, dtype=np.float64) / 2**31).astype(np.float32).reshape(rows, size)


@pytest.mark.parametrize("trials", [2, BLOCK, BLOCK + 1, 100, 3 * BLOCK - 7])
@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_any_slice_of_trials_is_the_slice_of_the_whole(trials: int, start: int) -> None:
    whole = unit(draws(), 3, 1, start + trials)
    assert torch.equal(unit(draws(), 3, 1, trials, start), whole[start:])


def test_order_grouping_and_threads_do_not_matter() -> None:
    units = [(5, 0), (2, 1), (5, 1), (9, 20)]
    together = torch.empty(4, 100, 12)
    draws().write_directions(units, together)
    for index, (sample, radius) in reversed(list(enumerate(units))):
        assert torch.equal(together[index], unit(draws(), sample, radius, 100))


@pytest.mark.parametrize(
    "other",
    [draws(seed=1), draws(dataset="digits/train"), draws(dataset="mnist/test")],
    ids=["seed", "split", "dataset"],
)
def test_seed_and_dataset_change_every_value(other: Draws) -> None:
    assert not bool((unit(other, 3, 1, 50) == unit(draws(), 3, 1, 50)).any())


def test_units_and_blocks_are_independent() -> None:
    source = draws(size=2000)
    rows = [unit(source, s, k, 2 * BLOCK) for s, k in ((0, 0), (0, 1), (1, 0), (2**31, 0))]
    picked = torch.stack([row for block in rows for row in (block[0], block[1], block[BLOCK])])
    correlation = torch.corrcoef(picked)
    assert float((correlation - torch.eye(len(picked))).abs().max()) < 5 / 2000**0.5


def test_uniform_on_minus_one_to_one() -> None:
    values = unit(draws(size=1000), 0, 0, 100).flatten().numpy()
    assert values.min() >= -1
    assert values.max() < 1
    assert stats.kstest(values, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def sweep(batch: int, clip: bool = False, samples: Sequence[int] = (4, 8), memory: str = "contiguous") -> Tensor:
    """(readings, samples * radii, trials, D) perturbations x_a - x, gathered over all batches."""
    probe = Sphere(radii=[0.1, 1, 20], trials=7, clip=clip)
    images = torch.full((len(samples), 3, 4, 4), 0.5)
    source = draws(size=48)
    execution = Execution(batch, memory, "float32")  # type: ignore[arg-type]
    out = torch.full((2, len(samples) * 3, 7, 48), torch.nan)
    for piece in sphere_batches(images, samples, probe, source, execution):
        assert len(piece.images) <= max(batch, 7)
        moved = (piece.images - 0.5).reshape(piece.units, -1, 48)
        stop = piece.start + moved.shape[1]
        out[piece.reading, piece.first : piece.first + piece.units, piece.start : stop] = moved
    assert not bool(out.isnan().any())
    return out


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 20, 1000])
@pytest.mark.parametrize("memory", ["contiguous", "channels_last"])
def test_batch_size_and_memory_format_do_not_matter(batch: int, memory: str) -> None:
    assert torch.equal(sweep(batch, memory=memory), sweep(7))


def test_order_of_samples_does_not_matter() -> None:
    swapped = sweep(20, samples=(8, 4))
    assert torch.equal(torch.cat([swapped[:, 3:], swapped[:, :3]], 1), sweep(20))


def test_every_perturbation_has_its_radius_in_both_readings() -> None:
    moved = sweep(20)
    radius = torch.tensor([0.1, 1, 20]).repeat(2)[:, None].expand(-1, 7)
    assert torch.allclose(norms(moved[0], "l2"), radius, rtol=1e-4, atol=1e-6)
    assert torch.allclose(norms(moved[1], "linf") * 255, radius, rtol=1e-3, atol=1e-5)
    # both readings move along the same directions
    cosine = torch.cosine_similarity(moved[0], moved[1], dim=-1)
    assert torch.allclose(cosine, torch.ones_like(cosine), atol=1e-4)


def test_clipping_keeps_the_box() -> None:
    moved = sweep(20, clip=True)
    assert float(moved.abs().max()) <= 0.5
    assert float(sweep(20)[0].abs().max()) > 0.5


@pytest.mark.parametrize(("total", "largest"), [(100, 100), (100, 30), (7, 3), (1, 5), (100, 1)])
def test_ranges_are_equal_and_cover(total: int, largest: int) -> None:
    cut = equal_ranges(total, largest)
    sizes = [stop - start for start, stop in cut]
    assert cut[0][0] == 0
    assert cut[-1][1] == total
    assert sum(sizes) == total
    assert max(sizes) <= largest
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"radii": []}, "radii"),
        ({"radii": [1.0, 1.0]}, "radii"),
        ({"radii": [0.0, 1.0]}, "radii"),
        ({"trials": 1}, "trials"),
        ({"samples": 0}, "samples"),
        ({"confidence": 1.0}, "confidence"),
        ({"pixel_scale": [0.0]}, "pixel_scale"),
        ({"norm": ["l2", "linf", "l2"]}, "paired"),
        ({"norm": ["l2", "l2"], "pixel_scale": [1.0, 1.0]}, "differ"),
        ({"norm": []}, "empty"),
        ({"floor_samples": -1}, "floor_samples"),
    ],
)
def test_bad_probes_are_named(options: dict[str, list[float]], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Sphere(**options)  # type: ignore[arg-type]


def test_readings_pair_up() -> None:
    assert [tuple(r) for r in Sphere().readings] == [("l2", 1.0), ("linf", 255.0)]
    assert [tuple(r) for r in Sphere(norm=["l2"], pixel_scale=[1.0, 255.0]).readings] == [("l2", 1.0), ("l2", 255.0)]
