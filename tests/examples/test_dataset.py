"""The example of a dataset: its orientations by the Fourier transform, its splits, and a network that learns it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from advlab.config import components
from advlab.data.content import Arrays
from advlab.data.source import LoadOptions
from advlab.store.artifacts import ArtifactStore
from tests.helpers.commands import Ended

#: row and column of the strongest frequency, up to sign, of each class
FREQUENCIES = [(1, 0), (0, 1), (1, 1), (1, -1)]


def arrays(split: str, **options: float) -> Arrays:
    source = components.REGISTRIES["dataset"].load("gratings")(**options)
    read: Arrays = source.read(split, "gratings", LoadOptions(Path(), False, ArtifactStore(Path())))
    return read


@pytest.mark.parametrize(("side", "cycles"), [(28, 4), (16, 3), (9, 2)])
def test_the_strongest_frequency_is_that_of_the_class(side: int, cycles: int, loaded: Callable[[str], None]) -> None:
    loaded("dataset")
    split = arrays("test", side=side, cycles=cycles, count=60)
    assert sorted(set(split.labels.tolist())) == [0, 1, 2, 3]
    assert split.shape == (1, side, side)
    for pixels, label in zip(split.pixels, split.labels, strict=True):
        power = np.abs(np.fft.fft2(pixels - pixels.mean()))
        row, column = np.unravel_index(power.argmax(), power.shape)
        wanted = [
            (sign * r * cycles % side, sign * c * cycles % side) for r, c in [FREQUENCIES[label]] for sign in (1, -1)
        ]
        assert (row, column) in wanted


def test_amplitude_noise_and_seeds(loaded: Callable[[str], None]) -> None:
    loaded("dataset")
    clean, noisy = arrays("test", noise=0), arrays("test", noise=0.05)
    assert clean.pixels.std() == pytest.approx(0.4 / np.sqrt(2), rel=0.01)
    assert np.array_equal(clean.labels, noisy.labels)
    assert (noisy.pixels - clean.pixels).std() == pytest.approx(0.05, rel=0.03)
    assert np.array_equal(arrays("test").pixels, arrays("test").pixels)
    for other in (arrays("train"), arrays("test", seed=1)):
        assert not np.array_equal(other.labels, arrays("test").labels)


def test_a_network_learns_it(plugin: Callable[..., list[str]], cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(
        *plugin("dataset", "model", "experiment"), "experiment=defended_accuracy", "model=small_net", "model.classes=4",
        "dataset=gratings", "recipe=lenet_digits", "recipe.epochs=2", "run.preset=tiny",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (manifest,) = (tmp_path / "outputs/defended_accuracy").glob("*/v001/manifest.json")
    content = json.loads(manifest.read_text())
    assert content["dataset"]["classes"] == ["horizontal", "vertical", "rising", "falling"]
    assert content["dataset"]["images"] == 1000
    assert content["clean_accuracy"]["accuracy"] > 0.95, content["clean_accuracy"]
