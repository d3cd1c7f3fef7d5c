"""What the experiments on spheres share: the order and columns of their rows, and the names of readings."""

from __future__ import annotations

import pandas as pd
import pytest
from advlab.experiments.aghdam2017 import spheres

from advlab.lab import Cell
from advlab.probes.sphere import Sphere

PROBE = Sphere(radii=[0.5, 2.0], trials=7, direction="fgv", floor_samples=3)


def test_spheres_run_over_samples_then_readings_then_radii() -> None:
    probed = list(spheres.probed_spheres(PROBE, [30, 10], [4, 9]))
    assert [sphere.place for sphere in probed] == [
        (0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1), (0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1),
    ]  # fmt: skip
    assert probed[5].columns == {
        "sample": 10, "label": 9, "norm": "l2", "pixel_scale": 1.0, "direction": "fgv", "radius": 2.0, "trials": 7,
    }  # fmt: skip
    assert probed[6].columns == probed[4].columns | {"norm": "linf", "pixel_scale": 255.0}
    numbers = [[[f"{m}{s}{k}" for k in range(2)] for s in range(2)] for m in range(2)]
    assert [sphere.number(numbers) for sphere in probed] == ["000", "001", "100", "101", "010", "011", "110", "111"]


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"norm": "l2", "pixel_scale": 1.0}, "l2, 0..1"),
        ({"norm": "linf", "pixel_scale": 255.0, "direction": "random"}, "linf, 0..255"),
        ({"norm": "l2", "pixel_scale": 0.5, "direction": "fgv"}, "l2, 0..0.5, fgv"),
        ({"layer": "auto", "norm": "l2", "pixel_scale": 1.0, "direction": "random"}, "l2, 0..1"),
        ({"layer": "conv1", "norm": "l2", "pixel_scale": 1.0, "direction": "deepfool"}, "l2, 0..1, deepfool, conv1"),
    ],
)
def test_readings_are_named_in_claims(columns: dict[str, object], name: str) -> None:
    other = pd.DataFrame([{**columns, "norm": "other"}])
    table = pd.concat([pd.DataFrame([columns] * 2), other], ignore_index=True).assign(radius=[1, 2, 3])
    (first, rows), (second, last) = spheres.rows_by_reading(table)
    assert first == name
    assert second == name.replace(str(columns["norm"]), "other", 1)
    assert (list(rows["radius"]), list(last["radius"])) == ([1, 2], [3])


@pytest.mark.parametrize(("first", "compared"), [(0, [5, 6]), (2, [5]), (3, []), (9, [])])
def test_float64_is_for_the_first_samples_of_the_run(first: int, compared: list[int]) -> None:
    cell = Cell("cell", {"first": first, "samples": [5, 6]})
    assert spheres.samples_for_float64(PROBE, cell) == compared


@pytest.mark.parametrize(("clip", "directions"), [(False, 14), (True, 28)])
def test_readings_share_their_directions_unless_they_are_clipped(clip: bool, directions: int) -> None:
    assert spheres.linearised_directions(Sphere(radii=[0.5, 2.0], trials=7, clip=clip)) == directions
