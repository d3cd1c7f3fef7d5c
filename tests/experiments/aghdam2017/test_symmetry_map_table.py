"""The table and the figure of a map of symmetricity: columns of each kind of row, older names, and panels."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.aghdam2017 import symmetry_map_row
from torch import Tensor

from advlab.config import components
from advlab.plotting.pixels import encode
from advlab.store.tables import from_csv, read_frame, to_csv
from tests.helpers.networks import ScoreAgainstZero

SymmetryMap = components.REGISTRIES["experiment"].load("symmetry_map")
SMALL: dict[str, Any] = {"radii": [0.1, 1.0, 2.0, 4.0, 8.0], "params": {"grid": 5}}


def pixels(x: Tensor) -> Tensor:
    """A logit that is linear in three pixels, and above 0 for every image."""
    return 2 * x[:, 0] + x[:, 1] + 0.5 * x[:, 5] + 0.5


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 4, 4)], ids=str)
def test_the_figure_has_map_images_and_shares(around: Any, measured: Any, shape: Any, runs: int) -> None:
    found = measured(around("symmetry_map", ScoreAgainstZero(pixels), shape=shape, **SMALL))
    names = ["lenet on $x$ <img onerror=1> " + "long " * 20, "b"][:runs]
    tables = pd.concat([found.assign(run=name) for name in names])
    figure = SymmetryMap(SymmetryMap.Params()).plot(tables)
    figure.canvas.draw()
    for part in figure.subfigs:
        assert len([axis for axis in part.axes if axis.images]) == 1 + 3
        shares = next(axis for axis in part.axes if axis.get_xlabel().startswith("perturbation"))
        curves = [line for line in shares.get_lines() if line.get_marker() in ("o", "s")]
        lengths = found[found["kind"] == "sphere"].groupby(["norm", "radius"])["rms"].median()
        for line, norm in zip(curves, ("l2", "linf"), strict=True):
            assert np.asarray(line.get_xdata()) == pytest.approx(lengths[norm].to_numpy())
    numbers = SymmetryMap(SymmetryMap.Params()).summary(tables)
    assert len(numbers) == runs
    assert (numbers["score_lost"] < 0.5).all()
    assert (numbers["score_kept"] > 0.5).all()
    grid, clean = found[found["kind"] == "grid"], numbers["score_clean"].iloc[0]
    share = (grid["score"] > clean).mean()  # up to rounding at the clean point itself
    assert numbers["share_above_clean"].to_numpy() == pytest.approx([share] * runs, abs=1.5 / len(grid))
    assert 0.2 < share < 0.8  # a linear logit rises on half of the map


def test_dark_images_are_stretched_alike_which_is_said(around: Any, measured: Any) -> None:
    found = measured(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL)).assign(run="dark")
    is_mark = found["kind"] == "mark"
    ramps = [np.arange(36, dtype=np.uint8).reshape(1, 6, 6) + shift for shift in (0, 5, 10)]
    found.loc[is_mark, "pixels"] = [encode(ramp.astype(np.uint8)) for ramp in ramps]
    for shift, stretched in ((0, True), (220, False)):
        if not stretched:  # from black to white already
            found.loc[is_mark, "pixels"] = encode(np.linspace(0, 255, 36).astype(np.uint8).reshape(1, 6, 6))
        (part,) = SymmetryMap(SymmetryMap.Params()).plot(found).subfigs
        shown = [np.asarray(axis.images[0].get_array()) for axis in part.axes if axis.images][1:]
        titles = [axis.get_title() for axis in part.axes]
        assert any("contrast × 7.4" in title for title in titles) == stretched, shift
        if stretched:
            assert shown[1][0, 0] - shown[0][0, 0] == pytest.approx(5 * 7.4, abs=2)


def test_a_map_without_a_boundary_can_be_drawn(around: Any, measured: Any) -> None:
    found = measured(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL))
    found.loc[found["kind"] == "grid", ["error_probability", "score", "margin"]] = [0.0, 1.0, 9.0]
    SymmetryMap(SymmetryMap.Params()).plot(found).canvas.draw()
    found.loc[found["kind"] == "grid", ["error_probability", "score", "margin"]] = np.nan
    SymmetryMap(SymmetryMap.Params()).plot(found).canvas.draw()


def test_every_kind_has_its_own_columns(around: Any, measured: Any) -> None:
    """What a kind does not have holds the default in its rows, and is not read with them."""
    defaults = {
        field.name: field.default
        for field in fields(SymmetryMap.Row)
        if field.default is not MISSING and field.name != "trials"
    }
    table = measured(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL))
    assert set(table["kind"]) == set(symmetry_map_row.OWN_COLUMNS)
    for kind, own in symmetry_map_row.OWN_COLUMNS.items():
        rows = table[table["kind"] == kind]
        foreign = defaults.keys() - set(own)
        for name in foreign:
            assert set(map(str, rows[name])) == {str(defaults[name])}, (kind, name)
        for name in set(own) - {"a", "b", "prediction"}:
            assert set(map(str, rows[name])) != {str(defaults[name])}, (kind, name)
        assert set(symmetry_map_row.of_kind(table, kind)) == set(table) - foreign


def test_tables_with_the_former_name_are_read(around: Any, measured: Any, tmp_path: Path) -> None:
    found = measured(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL)).drop(columns="run")
    text = to_csv([SymmetryMap.Row(**row) for row in found.to_dict("records")], SymmetryMap.Row)
    header, rest = text.split("\n", 1)
    former = header.replace("error_probability", "deficit") + "\n" + rest
    assert to_csv(from_csv(former, SymmetryMap.Row), SymmetryMap.Row) == text
    (tmp_path / "table.csv").write_text(former)
    assert list(read_frame(tmp_path / "table.csv", SymmetryMap.Row)) == header.split(",")


def test_rows_survive_csv(around: Any, measured: Any) -> None:
    found = measured(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL)).drop(columns="run")
    rows = [SymmetryMap.Row(**row) for row in found.to_dict("records")]
    text = to_csv(rows, SymmetryMap.Row)
    assert to_csv(from_csv(text, SymmetryMap.Row), SymmetryMap.Row) == text
