"""Figures as wide as a page or as a column: when a run is made, and when it is drawn again."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.plotting.style import COLUMN, PAGE
from tests.helpers.commands import Ended

LINE = ["experiment=lipschitz_toy", "run.output_root=outputs"]


def inches(path: Path) -> float:
    """Width of a PNG of 300 dots an inch."""
    return float(struct.unpack(">I", path.read_bytes()[16:20])[0]) / 300


@pytest.mark.renders
def test_a_run_draws_as_wide_as_it_is_told_and_plot_as_the_run_or_otherwise(cli: Callable[..., Ended]) -> None:
    assert cli(*LINE, "run.figure=column").code == 0
    assert cli(*LINE).code == 0
    column, page = (path.parent for path in sorted(Path("outputs").glob("**/manifest.json")))
    drawn = [folder / "figures/lipschitz_toy.png" for folder in (column, page)]
    assert [round(inches(path), 2) for path in drawn] == [COLUMN, PAGE]
    digests = [json.loads((folder / "manifest.json").read_text())["digest"] for folder in (column, page)]
    assert digests[0] == digests[1]  # the width changes no number
    assert (column / "table.csv").read_bytes() == (page / "table.csv").read_bytes()
    for folder, arguments, wide in (
        (column, [], COLUMN), (column, ["--figure", "page"], PAGE), (page, [], PAGE), (page, ["--figure", "column"], COLUMN),
    ):  # fmt: skip
        assert cli("plot", str(folder), "-o", "again.png", *arguments).code == 0
        assert round(inches(Path("again.png")), 2) == wide
    refused = cli("plot", str(page), "--figure", "poster")
    assert refused.code == 2
    assert "column" in refused.err
