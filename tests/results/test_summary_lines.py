"""Which lines of the summaries of several runs are the same line, and what is left out of their means."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pandas as pd
import pytest

from advlab.results.over_seeds import Group, Quantity, summary_quantities, tidy_table
from advlab.results.report import numbers_text


def found(*columns_of_runs: dict[str, Any], keys: tuple[str, ...] = ()) -> list[tuple[dict[str, Any], str, list[Any]]]:
    """Identity, name and values over runs of the quantities of one group."""
    group = Group("all", {}, list(range(len(columns_of_runs))))
    frames = [pd.DataFrame({"run": "x", **columns}) for columns in columns_of_runs]
    return [(q.identity, q.name, q.values) for q in summary_quantities(group, frames, keys)]


def test_identifiers_are_no_numbers() -> None:
    """A line about one sample: its index has no mean, its score has."""
    runs = [
        {"sample": [sample], "label_name": [name], "norm": ["l2"], "scale": [1.0], "score": [score]}
        for sample, name, score in ((137, "5", 0.5), (202, "4", 0.75))
    ]
    keys = ("sample", "label_name", "norm", "scale")
    assert found(*runs, keys=keys) == [({"norm": "l2", "scale": 1.0}, "score", [0.5, 0.75])]
    (alone,) = found(runs[0], keys=keys)
    assert alone == ({"sample": 137, "label_name": "5", "norm": "l2", "scale": 1.0}, "score", [0.5])


def test_without_keys_a_text_that_each_run_has_its_own_of_is_left_out() -> None:
    assert found({"name": ["a"], "x": [1.0]}, {"name": ["b"], "x": [2.0]}) == [({}, "x", [1.0, 2.0])]


def test_keys_that_tell_the_lines_of_a_run_apart_stay() -> None:
    """Each run has samples of its own: none of the lines of one is a line of another."""
    values = found({"sample": [1, 2], "x": [0.0, 1.0]}, {"sample": [2, 3], "x": [5.0, 6.0]}, keys=("sample",))
    assert [(identity["sample"], [v for v in of_runs if not math.isnan(v)]) for identity, _, of_runs in values] == [
        (1, [0.0]), (2, [1.0, 5.0]), (3, [6.0]),
    ]  # fmt: skip


def test_a_run_that_lacks_a_line_takes_no_key_away() -> None:
    both, one = {"of": ["a", "b"], "part": ["c", "d"], "x": [1.0, 2.0]}, {"of": ["a"], "part": ["c"], "x": [3.0]}
    assert [identity for identity, _, _ in found(both, one, keys=("of", "part"))] == [
        {"of": "a", "part": "c"}, {"of": "b", "part": "d"},
    ]  # fmt: skip


def test_a_key_may_be_missing() -> None:
    """NaN in one run is NaN in the other, and so is None."""
    for missing in (math.nan, None):
        first, second = found(
            {"k": ["a", missing], "x": [1.0, 2.0]}, {"k": ["a", math.nan], "x": [3.0, 4.0]}, keys=("k",)
        )
        assert first == ({"k": "a"}, "x", [1.0, 3.0])
        assert math.isnan(second[0]["k"])
        assert second[1:] == ("x", [2.0, 4.0])
    numbers = found({"r": [0.5, math.nan], "x": [1, 2]}, {"r": [0.5, math.nan], "x": [3, 4]})
    assert [values for _, _, values in numbers] == [[1, 3], [2, 4]]


@pytest.mark.parametrize("x", [[1, 1], [1, 2]])
@pytest.mark.parametrize("keys", [(), ("k",)])
def test_lines_that_nothing_tells_apart_are_numbered(x: list[int], keys: tuple[str, ...]) -> None:
    assert found({"k": ["p", "p"], "x": x}, {"k": ["p", "p"], "x": [3, 4]}, keys=keys) == [
        ({"k": "p", "line": 1}, "x", [x[0], 3]), ({"k": "p", "line": 2}, "x", [x[1], 4]),
    ]  # fmt: skip
    text = numbers_text([Group("all", {}, [0])], [pd.DataFrame({"run": "x", "k": ["p", "p"], "x": x})], 80)
    assert [line.split() for line in text.splitlines()][1:] == [
        ["k", "p", "p"],
        ["line", "1", "2"],
        ["x", *map(str, x)],
    ]


@pytest.mark.parametrize(
    ("values", "mean", "text"),
    [
        ([math.inf, 0.5], math.inf, "inf; 0.5"),
        ([0.5, -math.inf, math.nan], -math.inf, "0.5; -inf (n = 2)"),
        ([math.inf, math.inf], math.inf, "inf"),
        ([math.inf, -math.inf], math.nan, "inf; -inf"),
    ],
)
def test_infinite_values_have_no_deviation(values: list[float], mean: float, text: str) -> None:
    group = Group("all", {}, list(range(len(values))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantity = Quantity(group, {}, "x", values)
        said = quantity.statistics()
        assert quantity.text() == text
        assert len(tidy_table([quantity])) == 1
    assert said["mean"] == pytest.approx(mean, nan_ok=True)
    assert math.isnan(said["deviation"])
    assert said["n"] == sum(not math.isnan(value) for value in values)
