"""`advlab compare` from the command line, on real runs that share samples."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import advlab
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run
from tests.helpers.commands import Ended

SMALL = (
    "run.preset=tiny",
    "probe.trials=4",
    "probe.radii=[1,10]",
    "probe.samples=8",
    "probe.confidence=0",
    "recipe.epochs=1",
)
RUNS = [f"outputs/isotropy/digits-lenet/v00{n}" for n in (1, 2)]


@pytest.fixture
def pair(cli: Callable[..., Ended]) -> list[str]:
    """Two runs on the same samples, of which one clips its images."""
    for options in ((), ("probe.clip=true",)):
        assert cli("run.batch_size=8", *SMALL, *options).code == 0
    return RUNS


def test_a_comparison_says_what_differs_the_numbers_and_pairs(
    pair: list[str], cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    ended = cli("compare", *pair)
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 90
    for words in (
        "probe.clip",
        "false",
        "true",
        "clean accuracy",
        "more-at-1, l2, 0..1",
        "8 shared samples",
        "median range",
    ):
        assert words in ended.out
    rows = list(csv.DictReader(io.StringIO(cli("compare", *pair, "--format", "csv").out)))
    assert {row["kind"] for row in rows} == {"option", "claim", "paired"}
    first, second = (advlab.load(run).table for run in pair)
    by = ["sample", "norm", "radius"]
    both = first.merge(second, on=by)
    both["difference"] = both["range_y"] - both["range_x"]
    expected = both.groupby(["norm", "radius"])["difference"].median()
    paired = [row for row in rows if row["kind"] == "paired" and row["quantity"] == "range"]
    assert len(paired) == len(expected) == 4
    for row in paired:
        assert float(row["value"]) == pytest.approx(expected[row["norm"], float(row["radius"])])
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
        assert (row["n"], row["text"]) == ("8", "median")
    content = json.loads(cli("compare", *pair, "--format", "json").out)
    assert [run["path"] for run in content["runs"]] == pair
    assert len(content["paired"]) == sum(row["kind"] == "paired" for row in rows)
    assert len(content["claim"]) == 20
    frame = advlab.compare(*pair)
    assert len(frame) == len(rows)
    assert set(frame.loc[frame["kind"] == "option", "text"]) >= {"true", "false"}
    assert cli("compare", *pair, "-o", "out.txt").out == ""


def test_other_samples_are_not_paired(pair: list[str], cli: Callable[..., Ended]) -> None:
    assert cli("run.batch_size=8", *SMALL, "dataset.split=train").code == 0
    ended = cli("compare", pair[0], "outputs/isotropy/digits-lenet/v003")
    assert ended.code == 0
    assert "not paired, for the runs share no samples" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["RUN", "usage: advlab compare"]), (["nope", "nope"], ["nope is no run directory"]),
        (["isotropy"], ["two runs or more"]), (["isotropy", "isotropy"], ["two runs or more"]),
        (["isotropy", "topology"], ["different experiments"]),
    ],
)  # fmt: skip
def test_bad_lines(arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    table = (Path(__file__).parents[1] / "results/version_0_1/outputs/isotropy/digits-mlp/v001/table.csv").read_text()
    for name in ("isotropy", "topology"):
        finished_run(tmp_path / name, claimed_nodes(name), [claim_of("holds")], table=table)
    ended = cli("compare", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert all(word in ended.err for word in words)


def test_the_board_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finished_run(tmp_path / "outputs" / "v001", claimed_nodes(), [claim_of("holds")])
    finished_run(tmp_path / "others" / "v001", claimed_nodes(model="mlp"), [claim_of("undecided")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert advlab.claims()["verdict"].tolist() == ["holds"]
        frame = advlab.claims("outputs", tmp_path / "others")
    assert isinstance(frame, pd.DataFrame)
    assert frame[["network", "verdict"]].to_numpy().tolist() == [
        ["lenet on digits", "holds"],
        ["mlp on digits", "undecided"],
    ]
    (tmp_path / "others" / "v001" / "claims.csv").unlink()
    with pytest.warns(UserWarning, match=r"skipped others/v001: .* is missing"):
        assert len(advlab.claims("outputs", "others")) == 1
