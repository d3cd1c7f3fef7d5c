"""Sweeps, and output folders of any name."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from advlab.cli import sweep
from advlab.config.compose import Composer
from advlab.config.hydra_main import CommandLine
from advlab.results.compare import compare_runs
from tests.helpers.commands import Ended

TINY = (
    "run.preset=tiny",
    "probe.trials=4",
    "probe.radii=[1]",
    "recipe.epochs=2",
    "probe.confidence=0",
    "run.batch_size=8",
)


def test_output_paths_with_spaces_and_signs(cli: Callable[..., Ended], tmp_path: Path) -> None:
    root = "my results/été [1], 100%"
    ended = cli(*TINY, f'run.output_root="{root}"')
    assert ended.code == 0, ended.err
    assert (tmp_path / root / "isotropy/digits-lenet/v001/manifest.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my results"]
    drawn = cli("plot", f"{root}/isotropy/digits-lenet/v001")
    assert drawn.code == 0
    assert cli("resume", f"{root}/isotropy/digits-lenet/v001").out.endswith("complete, nothing left to do\n")


def test_a_sweep_where_one_job_fails(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(*TINY, "model.checkpoint='',nope.safetensors", "-m", 'run.output_root="été 1"')
    assert ended.code == 1
    assert "2 jobs:" in ended.out
    assert "complete" in ended.out
    assert "nope.safetensors does not exist" in " ".join(ended.out.split())
    assert "1 of 2 jobs failed" in ended.err
    assert "Traceback" not in ended.err
    assert (tmp_path / "été 1/isotropy/digits-lenet/v001/manifest.json").is_file()
    assert not (tmp_path / "été 1/isotropy/digits-lenet/v002").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["été 1"]
    assert sorted(path.name for path in (tmp_path / "été 1").iterdir()) == [".sweeps", "isotropy"]


def test_a_sweep_draws_its_runs_together(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("-m", *TINY, "run.seed=0,1", "recipe.epochs=2,3", "recipe.name=short")
    assert ended.code == 0, ended.err
    assert "4 jobs:" in ended.out
    assert "again:    advlab plot " in ended.out
    runs = sorted((tmp_path / "outputs/isotropy/digits-lenet").glob("v*"))
    assert len(runs) == 4
    seeds = [json.loads((run / "manifest.json").read_text())["config"]["run"]["seed"] for run in runs]
    assert sorted(seeds) == [0, 0, 1, 1]


def test_a_sweep_of_dry_plans_writes_nothing(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("-m", "run.dry=true", "run.seed=0,1", "run.preset=tiny")
    assert ended.code == 0
    assert ended.out.count("plan of isotropy") == 2
    assert list(tmp_path.iterdir()) == []


#: a cheap experiment that needs neither data nor torch
POINTS = ("experiment=hard_points", "experiment.resolution=60")


def shown(out: str, folder: Path) -> tuple[Path, pd.DataFrame]:
    """The table of a sweep, from the path that it printed."""
    (line,) = [line for line in out.splitlines() if line.startswith("table:    ")]
    path = folder / line.removeprefix("table:    ")
    return path, pd.read_csv(path, float_precision="round_trip", keep_default_na=False)


def test_a_sweep_writes_its_table_over_seeds(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ended = cli("-m", *POINTS, "experiment.degree=3,2", "experiment.draws=200", "run.seed=0,1")
    assert ended.code == 0, ended.err
    path, table = shown(ended.out, tmp_path)
    assert path.parent.parent == tmp_path / "outputs/.sweeps"
    assert path.name == "sweep.csv"
    assert list(dict.fromkeys(table["run"])) == ["degree=3", "degree=2"]
    assert set(table["n"]) == {2}
    runs = sorted((tmp_path / "outputs/hard_points").glob("v*"))
    assert len(runs) == 4
    summaries = pd.concat([pd.read_csv(run / "summary.csv", float_precision="round_trip") for run in runs])
    numbers = table[table["kind"] == "number"]
    assert len(numbers) == 2 * 2 * (len(summaries.columns) - 3)
    for _, line in numbers.iterrows():
        of_line = (summaries["degree"] == int(line["degree"])) & (summaries["hypotheses"] == line["hypotheses"])
        values = summaries.loc[of_line, line["quantity"]]
        assert float(line["mean"]) == pytest.approx(values.mean(), rel=1e-14)
        assert float(line["deviation"]) == pytest.approx(values.std(), rel=1e-12, abs=1e-15)
    claims = pd.concat([pd.read_csv(run / "claims.csv", float_precision="round_trip") for run in runs])
    stated = table[table["kind"] == "claim"]
    assert stated["holds"].astype(int).sum() == (claims["verdict"] == "holds").sum() > 0
    assert stated["does_not_hold"].astype(int).sum() == (claims["verdict"] == "does not hold").sum() > 0
    end = ended.out[ended.out.index("4 jobs:") :]
    long = [line for line in end.splitlines() if len(line) > 60]
    assert all(line.startswith(("together: ", "table: ")) for line in long), long  # paths, which are copied
    assert "±" in end


def test_a_sweep_of_one_job_and_a_summary_of_one_line(cli: Callable[..., Ended], tmp_path: Path) -> None:
    """One degree of one family: it says what the line is about, and is no number of its own."""
    ended = cli("-m", *POINTS, "experiment.degree=2", "experiment.draws=0", "experiment.hypotheses=basis", "run.seed=0")
    assert ended.code == 0, ended.err
    assert "1 job:" in ended.out
    table = shown(ended.out, tmp_path)[1]
    numbers = table[table["kind"] == "number"]
    assert set(numbers["degree"].astype(int)) == {2}
    assert set(numbers["hypotheses"]) == {"basis"}
    assert not {"degree", "hypotheses"} & set(numbers["quantity"])


@pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs the extra `cluster`"
)
def test_jobs_side_by_side_give_the_same_table_and_labels(cli: Callable[..., Ended], tmp_path: Path) -> None:
    """joblib's jobs take their versions in any order; the order of the command line stays."""
    options = ("experiment.draws=100", "experiment.degree=2", "run.seed=2,0,1")
    one = cli("-m", *POINTS, *options, "run.output_root=one")
    many = cli("-m", *POINTS, *options, "run.output_root=many", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert one.code == many.code == 0, many.err
    (path, _), (other, _) = shown(one.out, tmp_path), shown(many.out, tmp_path)
    assert path.read_bytes() == other.read_bytes()
    for line in (one, many):
        (again,) = [text for text in line.out.replace("\\\n", "").splitlines() if text.startswith("again:")]
        compared = compare_runs([tmp_path / word for word in again.split()[3:]])
        assert compared.labels == list(dict.fromkeys(compared.table["run"])) == ["seed=2", "seed=0", "seed=1"]


def test_a_signal_between_two_jobs_ends_the_workers_that_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []

    @contextlib.contextmanager
    def workers_kept(*_: Any) -> Iterator[None]:
        try:
            yield
        finally:
            seen.append("ended")

    def between_jobs(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append("went on")

    monkeypatch.setattr(sweep, "workers_kept", workers_kept)
    monkeypatch.setattr(sweep, "hydra_main", between_jobs)
    with Composer(None) as composer:
        jobs = composer.jobs([*POINTS, "run.seed=0,1"], multirun=True)
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("killed"))
    try:
        assert sweep.sweep(CommandLine(argparse.Namespace(), []), jobs) == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["ended"]
    assert capsys.readouterr().out.count("did not finish") == 2


def test_runs_stand_in_the_order_of_the_jobs(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve jobs whose versions were taken backwards, and that ended in any order."""
    line = (*POINTS, "experiment.degree=2", "experiment.draws=0")
    assert cli(*line).code == 0
    folder = tmp_path / "outputs/hard_points"
    outcomes: dict[int, dict[str, Any]] = {}
    for job in (7, 11, 0, 10, 2, 9, 1, 3, 8, 4, 6, 5):
        run = folder / f"v{100 - job}"
        shutil.copytree(folder / "v001", run)
        nodes = yaml.safe_load((run / "config.yaml").read_text())
        nodes["run"]["seed"] = job
        (run / "config.yaml").write_text(yaml.safe_dump(nodes))
        (run / "plan.json").unlink()
        outcomes[job] = {"status": "complete", "detail": str(run)}
    drawn: list[list[str]] = []

    def plot(compared: Any) -> list[Path]:
        drawn.append(compared.labels)
        return [Path("figure.png")]

    monkeypatch.setattr("advlab.results.compare.ComparedRuns.plot", plot)
    with Composer(None) as composer:
        jobs = composer.jobs([*line, "run.seed=range(0,12)"], multirun=True)
    out = sweep.compare_finished(outcomes, jobs, tmp_path)
    assert drawn == [[f"seed={job}" for job in range(12)]]
    assert [word for word in out.split() if "/v" in word] == [
        f"outputs/hard_points/v{100 - job}" for job in range(12)
    ]  # as all paths of a sweep below the working folder
    assert (tmp_path / "sweep.csv").is_file()
