"""Figure 4 of gunther2017: what is in the grid, asked of the network and of OpenMax again, and what is missing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.figures.fooling_grid import VERDICTS

from advlab import testing
from advlab.attacks.ascent.fooling.algorithm import random_starts
from advlab.defenses import OpenMax
from advlab.errors import ConfigError
from advlab.lab import NetworkContext
from advlab.plotting.pixels import decode
from tests.helpers.noise_classes import CLASS_COUNT, NOISE_SHAPE, images_and_labels, network


def context(**options: Any) -> NetworkContext:
    ctx: NetworkContext = testing.context(
        "fooling_grid", network(), *images_and_labels(), {f"experiment.{k}": v for k, v in options.items()}
    )
    return ctx


def test_the_grid_is_asked_again() -> None:
    ctx = context(levels=[0.5, 0.9])
    table = testing.measured(ctx)
    assert len(table) == 3 * (1 + 2 * CLASS_COUNT)
    asked = OpenMax(layer="2")
    open_set = asked(network(), fitted=asked.fit(ctx.data, network()))
    starts = random_starts(3, NOISE_SHAPE, 0)
    seen = set()
    for row in table.itertuples():
        pixels = torch.from_numpy(decode(pd.Series(row._asdict())).copy()).float()[None] / 255
        start = starts[row.start : row.start + 1]
        with torch.no_grad():
            p, at_start = (network()(x).double().softmax(1)[0] for x in (pixels, start))
            rejected = open_set(pixels).double().softmax(1)[0]
        assert row.start_class == int(at_start.argmax())
        if row.target < 0:
            assert torch.equal(pixels, start)
            continue
        already = float(at_start[row.target]) >= 0.5
        seen.add(row.status)
        assert (row.status == "at level already") == already
        assert row.success == (row.status == "reached")
        if row.success:
            assert row.level <= row.probability <= row.level + 0.02
            assert float(p[row.target]) == pytest.approx(row.probability, abs=0.05)  # rounded to grey levels
        if abs(float(rejected.topk(2).values.diff())) > 0.05:
            expected = int(rejected.argmax())
            assert row.prediction == expected
            assert row.verdict == (
                "unknown" if expected == CLASS_COUNT else "target" if expected == row.target else "other"
            )
    assert seen >= {"reached", "at level already"}
    summary = ctx.settings.experiment.summary(table)
    assert list(summary["level"]) == [0.5, 0.9]
    assert (summary[["images", "not_reached", "at_level_already"]].sum(axis=1) == 3 * CLASS_COUNT).all()
    assert (summary["images"] == summary[["unknown", "target", "other"]].sum(axis=1)).all()


def test_borders_and_marks_are_the_verdicts() -> None:
    ctx = context(starts=1)
    table = testing.measured(ctx)
    reached = table["level"] > 0
    table.loc[reached, "success"] = True
    verdicts = ["unknown", "target", "other"] * 3
    table.loc[reached, "verdict"] = verdicts
    table.loc[table.index[-1], ["success", "status"]] = [False, "not reached"]
    figure = ctx.settings.experiment.plot(table)
    marked = [axis for axis in figure.axes if axis.lines]
    assert len(marked) == len(verdicts) - 1  # what was not reached is missing
    drawn = [
        (axis.lines[0].get_marker(), axis.lines[0].get_color(), axis.spines["left"].get_edgecolor()) for axis in marked
    ]
    assert len(set(drawn)) == 3
    assert {marker for marker, *_ in drawn} == {mark for *_, mark in VERDICTS.values()}


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="fooling_grid needs one open set network"):
        context(defenses=["blur"])
    with pytest.raises(ConfigError, match="of the plain network: leave defense out"):
        testing.settings_of("fooling_grid", {"defense": "openmax"})
    with pytest.raises(ConfigError, match="name ascending probabilities"):
        context(levels=[])
