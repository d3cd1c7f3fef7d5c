"""Sweeps, and output folders of any name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
    assert "nope.safetensors does not exist" in ended.out
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
