"""The board, comparisons and the report of run directories changed at random: one line at most, no traceback, nothing written."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import write_sealed
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in
from tests.helpers.strangers import altered, contents, one_line, write_yaml

OLD = Path(__file__).parents[1] / "results" / "version_0_1" / "outputs"
RUNS = ("isotropy/digits-mlp/v001", "hard_points/v001", "attack_survey/digits-mlp/v001")
CELLS = ["nan", "inf", "", "1e999", "\x1b[2J", "9" * 400, "True", "x", "=1+1", "<script>", "-1"]


def change(run: Path, draw: random.Random) -> None:
    """Change the manifest, the configuration or a table of a run, whose seal is right."""
    manifest, what = RunDirectory(run).manifest(), draw.random()
    if what < 0.4:
        write_sealed(run / "manifest.json", altered(manifest, draw))
    elif what < 0.6:
        nodes = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        write_yaml(run / "config.yaml", altered(nodes, draw))
        (run / "plan.json").unlink()
    else:
        path = run / draw.choice(["claims.csv", "table.csv"])
        lines = path.read_text(encoding="utf-8").splitlines()
        for _ in range(draw.randint(1, 3)):
            number = draw.randrange(len(lines))
            cells = lines[number].split(",")
            cells[draw.randrange(len(cells))] = draw.choice(CELLS)
            lines[number] = ",".join(cells)
        lines = lines[: draw.randrange(3)] if draw.random() < 0.2 else lines
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        write_sealed(run / "manifest.json", {key: value for key, value in manifest.items() if key != "files"})


@pytest.mark.parametrize("seed", one_in(3, range(12)))
def test_a_changed_run_is_read_or_refused_in_a_line(seed: int, tmp_path: Path, cli: Callable[..., Ended]) -> None:
    draw = random.Random(seed)
    shutil.copytree(OLD, tmp_path / "outputs")
    shutil.copytree(OLD, tmp_path / "whole")
    run = draw.choice(RUNS)
    change(tmp_path / "outputs" / run, draw)
    before = contents(tmp_path)
    for arguments in (
        ("claims",), ("claims", "--again", "--format", "json"), ("claims", "--format", "html"), ("claims", "--format", "markdown"),
        ("compare", f"outputs/{run}", f"whole/{run}"), ("compare", f"whole/{run}", f"outputs/{run}", "--format", "csv"),
    ):  # fmt: skip
        ended = cli(*arguments)
        one_line(ended, 0, 2)
        assert "\x1b" not in ended.out + ended.err
        if arguments[0] == "claims":
            assert ended.code == 0
            assert len(ended.out) > 1000  # the other runs are there
    ended = cli("report", "-o", "/dev/null")
    one_line(ended, 0)
    assert ended.out.startswith(("/dev/null: 2 runs", "/dev/null: 3 runs"))
    assert contents(tmp_path) == before
