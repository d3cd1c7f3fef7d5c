"""Paired differences against sums by hand; which columns tell rows apart; runs that cannot be paired."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.results.paired import paired_differences, row_keys, same_data
from advlab.statistics import mean_interval, median_interval


def rows(offset: float, samples: range, direction: str = "random") -> pd.DataFrame:
    """Two radii a sample; the value is that of the sample, plus `offset` times the radius."""
    return pd.DataFrame([
        {
            "sample": sample, "label": sample % 3, "norm": "l2", "direction": direction, "radius": radius, "trials": 100,
            "value": math.sin(sample) + offset * radius * (1 + sample / 100), "hit": sample % 2 == 0 or offset > 1,
            "missing": math.nan, "prediction": sample % 5 + int(offset),
        }
        for sample in samples for radius in (0.1, 10.0)
    ])  # fmt: skip


def test_the_keys_are_the_fewest_of_the_first_columns() -> None:
    assert row_keys([rows(0, range(9)), rows(1, range(9), "fgv")]) == ["sample", "radius"]
    assert row_keys([pd.DataFrame({"sample": [1, 2], "value": [3.0, 3.0]})]) == ["sample"]
    assert row_keys([pd.DataFrame({"sample": [1, 1], "value": [3.0, 3.0]})]) == []
    readings = (("l2", 1), ("linf", 255))
    keyed = [
        {"sample": sample, "norm": norm, "scale": scale, "radius": radius}
        for sample in range(3) for norm, scale in readings for radius in (1, 2)
    ]  # fmt: skip
    assert row_keys([pd.DataFrame(keyed)]) == ["sample", "norm", "radius"]  # the scale follows from the norm


def test_differences_are_of_shared_samples_by_their_keys() -> None:
    """Differences within samples are small and known, those between samples large: unpaired intervals would be wide."""
    found = {
        (d.quantity, d.keys["radius"]): d for d in paired_differences(rows(2.0, range(5, 40)), rows(0.0, range(30)))
    }
    assert set(found) == {("value", 0.1), ("value", 10.0), ("hit", 0.1), ("hit", 10.0)}  # the others differ nowhere
    for radius in (0.1, 10.0):
        expected = np.array([2.0 * radius * (1 + sample / 100) for sample in range(5, 30)])
        interval = found["value", radius].interval
        assert interval.samples == 25
        assert interval == pytest.approx(tuple(median_interval(expected)))
        assert interval.low > 0
        hits = found["hit", radius]
        odd = np.array([float(sample % 2) for sample in range(5, 30)])
        assert hits.statistic == "mean"
        assert hits.interval == pytest.approx(tuple(mean_interval(odd)))


def test_the_sign_is_that_of_the_run_less_its_reference() -> None:
    (first, *_) = paired_differences(rows(0.0, range(9)), rows(3.0, range(9)))
    assert first.quantity == "value"
    assert first.interval.high < 0


def test_equal_rows_and_rows_without_samples_have_no_differences() -> None:
    assert paired_differences(rows(1.0, range(9)), rows(1.0, range(9), "fgv")) == []
    table = pd.DataFrame({"seed": [0, 1], "value": [0.5, 0.6]})
    assert paired_differences(table, table.assign(value=0)) == []


def test_missing_values_are_left_out_and_infinite_ones_are_beyond_all_others() -> None:
    """What was not found up to the largest radius is infinite: left out, the samples that tell most would be gone."""
    table, reference = rows(1.0, range(9)), rows(0.0, range(9))
    reference.loc[reference["sample"] == 4, "value"] = math.nan
    table.loc[table["sample"] < 3, "value"] = reference.loc[reference["sample"] == 8, "value"] = math.inf
    table.loc[table["sample"] == 8, "value"] = math.inf  # of both: no difference
    (near, far) = (d.interval for d in paired_differences(table, reference) if d.quantity == "value")
    assert near.samples == far.samples == 7
    known = [10.0 * (1 + sample / 100) for sample in (3, 5, 6, 7)]
    assert far == pytest.approx(tuple(median_interval([math.inf] * 3 + known)))
    assert far.high == math.inf


def test_equal_data() -> None:
    def manifest(digest: str, split: str = "test") -> dict[str, Any]:
        return {"dataset": {"digest": digest, "split": split}}

    nodes: list[dict[str, Any]] = [{"dataset": {"name": "a"}}, {"dataset": {"name": "b"}}]
    assert same_data([manifest("x"), manifest("x")], nodes)
    assert not same_data([manifest("x"), manifest("y")], nodes[:1] * 2)
    assert not same_data([manifest("x"), manifest("x", "train")], nodes[:1] * 2)
    assert same_data([{}, manifest("x")], nodes[:1] * 2)
    assert not same_data([{}, {}], nodes)
