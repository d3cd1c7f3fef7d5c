"""Runs taken together over seeds: means, deviations, counts and verdicts against plain sums, and exact as CSV."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from advlab.results.over_seeds import Quantity, claim_quantities, seed_groups, summary_quantities, tidy_table
from advlab.results.report import claims_text, numbers_text
from advlab.statistics.claims import Claim

SEEDS = (0, 1, 2)
VALUES = {
    ("lenet", 0): 0.1,
    ("lenet", 1): 0.7,
    ("lenet", 2): 1 / 3,
    ("mlp", 0): 5.0,
    ("mlp", 1): math.nan,
    ("mlp", 2): 6.0,
}


def nodes(model: str, seed: int) -> dict[str, dict[str, Any]]:
    return {
        "experiment": {"name": "e"}, "dataset": {"name": "digits"}, "model": {"name": model}, "run": {"seed": seed},
    }  # fmt: skip


def claim(estimate: float, verdict: Any) -> Claim:
    return Claim("high", "l2", "it says so", "value", ">", 0.2, estimate, 0.0, 1.0, 10, verdict)


RUNS = [(model, seed) for seed in SEEDS for model in ("lenet", "mlp")]  # as of two launchers, and not group by group
NODES = [nodes(*run) for run in RUNS]
PATHS = [Path(f"digits-{model}/v00{seed + 1}") for model, seed in RUNS]
SUMMARIES = [
    pd.DataFrame({"run": "x", "norm": ["l2", "linf"], "radius": [1, 1], "value": [VALUES[run], 2.0], "cause": ["a", f"b{run[1]}"]})
    for run in RUNS
]  # fmt: skip
CLAIMS = [
    [claim(VALUES[run], "not measured" if math.isnan(VALUES[run]) else "holds" if VALUES[run] > 0.2 else "does not hold")]
    for run in RUNS
]  # fmt: skip


def table(**changes: Any) -> pd.DataFrame:
    given = {"nodes": NODES, "summaries": SUMMARIES, "claims": CLAIMS, "paths": PATHS, **changes}
    groups = seed_groups(given["nodes"], given["paths"])
    numbers = [q for group in groups for q in summary_quantities(group, given["summaries"])]
    return tidy_table([*numbers, *(q for group in groups for q in claim_quantities(group, given["claims"]))])


def line(frame: pd.DataFrame, **keys: Any) -> Any:
    for key, value in keys.items():
        frame = frame[frame[key] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_mean_deviation_and_n_against_plain_sums() -> None:
    frame = table()
    assert list(frame.columns) == [
        "run", "model", "norm", "subset", "kind", "quantity", "mean", "deviation", "n",
        "holds", "does_not_hold", "undecided", "not_measured", "bound", "family", "text",
    ]  # fmt: skip
    for model, values in (("lenet", [0.1, 0.7, 1 / 3]), ("mlp", [5.0, 6.0])):
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        for found in (
            line(frame, model=model, norm="l2", quantity="value"),
            line(frame, model=model, subset="l2", quantity="high"),
        ):
            assert found["mean"] == pytest.approx(mean, rel=1e-15)
            assert found["deviation"] == pytest.approx(deviation, rel=1e-14)
            assert found["n"] == len(values)
    assert line(frame, model="mlp", norm="linf", quantity="value")[["mean", "deviation", "n"]].tolist() == [2.0, 0.0, 3]


def test_verdicts_are_counted_and_texts_are_kept() -> None:
    frame = table()
    counted = ["holds", "does_not_hold", "undecided", "not_measured"]
    assert line(frame, model="lenet", quantity="high")[counted].tolist() == [2, 1, 0, 0]
    assert line(frame, model="mlp", quantity="high")[counted].tolist() == [2, 0, 0, 1]
    assert line(frame, model="mlp", norm="linf", quantity="value")[counted].tolist() == [""] * 4
    assert line(frame, model="mlp", norm="linf", quantity="cause")["text"] == "b0; b1; b2"
    assert line(frame, model="mlp", norm="l2", quantity="cause")["text"] == "a"


def test_bounds_and_families_are_named() -> None:
    bounded = [
        dataclasses.replace(claim(value, "undecided"), low=value, high=math.inf, samples=0) for value in (0.8, 0.9)
    ]
    missing = dataclasses.replace(claim(math.nan, "not measured"), low=math.nan, high=math.nan, samples=0)
    groups = seed_groups([nodes("lenet", seed) for seed in SEEDS], PATHS[:3])
    (quantity,) = claim_quantities(groups[0], [[c] for c in (*bounded, missing)])
    assert quantity.text() == ">= 0.85 ± 0.071 (n = 2)"
    assert ">= 0.85" in claims_text(groups, ["a", "b", "c"], [[c] for c in (*bounded, missing)], 80)
    (row,) = tidy_table([quantity]).to_dict("records")
    assert (row["bound"], row["family"], row["undecided"]) == (">=", 1, 2)
    (quantity,) = claim_quantities(groups[0], [[dataclasses.replace(claim(0.5, "holds"), family=4)]] * 3)
    assert (quantity.text(), quantity.bound, quantity.family) == ("0.5", "", 4)
    assert set(table().loc[table()["kind"] == "number", "family"]) == {""}


def test_csv_gives_the_same_bits() -> None:
    frame = table()
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)), float_precision="round_trip")
    pd.testing.assert_series_equal(again["mean"], frame["mean"], check_exact=True)
    pd.testing.assert_series_equal(again["deviation"], frame["deviation"], check_exact=True)


def test_repetitions_of_a_seed_are_no_further_seeds() -> None:
    frame = table(nodes=[nodes("lenet", 0)] * 6)
    assert frame["n"].max() == 1
    assert frame["run"].nunique() == 6
    assert "lenet on digits (digits-mlp/v003)" in set(frame["run"])


def test_without_seeds_each_run_has_its_own_numbers() -> None:
    frame = table(nodes=[nodes(f"net{n}", 0) for n in range(6)])
    assert frame.loc[(frame["quantity"] == "value") & (frame["norm"] == "l2"), "mean"].tolist()[:2] == [0.1, 5.0]
    assert frame["deviation"].isna().all()


def test_the_leading_columns_say_what_a_line_is_about() -> None:
    group = seed_groups(NODES[:1], PATHS[:1])[0]
    points = pd.DataFrame({"run": "x", "density": ["a", "a", "b"], "points": [1, 2, 1], "share": [0.0, 0.5, 1.0]})
    assert [q.identity for q in summary_quantities(group, [points])] == [
        {"density": "a", "points": 1}, {"density": "a", "points": 2}, {"density": "b", "points": 1},
    ]  # fmt: skip
    single = pd.DataFrame({"run": "x", "attack": ["fgs"], "images": [8], "failures": ["none"]})
    assert [q.name for q in summary_quantities(group, [single])] == ["images", "failures"]


def test_summary_columns_and_differences_of_one_name_both_stay() -> None:
    summaries = [pd.DataFrame({"run": "x", "model": ["net"], "value": [1.0]})] * 6
    frame = table(summaries=summaries)
    assert {"model.name", "model"} <= set(frame.columns)
    assert set(frame["model.name"]) == {"lenet", "mlp"}


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_text_keeps_within_the_width_and_says_everything(width: int) -> None:
    groups = seed_groups(NODES, PATHS)
    text = (
        numbers_text(groups, SUMMARIES, width)
        + "\n"
        + claims_text(groups, [f"run {n}" for n in range(6)], CLAIMS, width)
    )
    assert max(map(len, text.splitlines())) <= width
    for words in (
        "0.3778 ± 0.3",
        "5.5 ± 0.71",
        "(n = 2)",
        "holds in 4 of 6",
        "does not hold in 1",
        "b0; b1; b2",
        "seeds",
    ):
        assert words in " ".join(text.split())


def test_a_number_that_some_runs_lack_says_so() -> None:
    group = seed_groups(NODES, PATHS)[0]
    quantity = Quantity(group, {}, "value", [0.5, math.nan, math.nan])
    assert quantity.text() == "0.5 (n = 1)"
    assert quantity.statistics()["n"] == 1
    assert math.isnan(quantity.statistics()["deviation"])
    assert Quantity(group, {}, "value", [math.nan] * 3).text() == ""
