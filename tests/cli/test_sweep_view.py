"""A sweep on a terminal: all jobs in one view, whoever carries them out; plain lines elsewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from advlab.cli.sweep_view import Job, jobs_of, view_lines
from advlab.progress import Progress, heard_by
from tests.helpers.long_cases import as_long
from tests.helpers.terminal import terminal

LABELS = [f"a network of some length on digits, steps={n}, seed={n}" for n in range(12)]
JOBS = [
    Job(0, "complete"), Job(1, "failed", "nope.safetensors does not exist: name another file"),
    Job(2, "running", "train lenet", 0.5, 1234.0), Job(3, "running"), *(Job(n, "waiting") for n in range(4, 12)),
]  # fmt: skip
NEEDS_JOBLIB = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs the extra `cluster`"
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_job_has_a_line_within_the_width_and_no_number_is_cut(width: int) -> None:
    lines = view_lines(JOBS, LABELS, width, 50)
    assert lines[0] == "12 jobs: 2 running, 1 failed, 8 waiting, 1 complete"
    assert [line.split()[:2] for line in lines[1:]] == [[str(job.number), job.state] for job in JOBS]
    assert all(len(line) <= max(width, 52) for line in lines)
    running = "train lenet 50%, 1234 s left"
    assert lines[3].endswith(running) if width > 40 else lines[3].startswith(" 2  running")
    if width == 200:
        assert all(label in line for label, line in zip(LABELS, lines[1:], strict=True))


def test_where_not_all_fit_those_are_shown_that_run_or_failed() -> None:
    lines = view_lines(JOBS, LABELS, 80, 6)
    assert lines[0].endswith("(3 shown)")
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]


def test_what_jobs_have_written(tmp_path: Path) -> None:
    (tmp_path / "outcome-0.json").write_text('{"status": "nothing left to do", "detail": "outputs/x"}')
    (tmp_path / "state-0.json").write_text('{"title": "x", "done": 1, "total": 2, "left": 1}')
    (tmp_path / "state-1.json").write_text('{"title": "isotropy", "done": 1, "total": 4, "left": 12}')
    (tmp_path / "state-2.json").write_text('{"title": "starting", "done": 0, "total": 0, "left": 0}')
    (tmp_path / "outcome-3.json").write_text("{")
    jobs = jobs_of(tmp_path, 4)
    assert jobs == [Job(0, "complete"), Job(1, "running", "isotropy", 0.25, 12.0), Job(2, "running"), Job(3, "waiting")]
    assert jobs[1].progress == "isotropy 25%, 12 s left"


def test_who_listens_hears_all_progress_and_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[str, int, int]] = []
    with (
        heard_by(lambda title, done, total, left: heard.append((title, done, total))),
        Progress("train", 3) as progress,
    ):
        progress.update(1)
        progress.update(3)
    assert heard == [("train", 1, 3), ("train", 3, 3)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "launcher", [(), as_long(pytest.param(("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), marks=NEEDS_JOBLIB))]
)
def test_a_sweep_on_a_terminal(launcher: tuple[str, ...], tmp_path: Path) -> None:
    words = ["-m", "experiment=hard_points", "experiment.resolution=60", "experiment.draws=10", "experiment.degree=2,3"]
    (tmp_path / "blocked").write_text("a file, where a folder is to be made")
    command = [sys.executable, "-m", "advlab", *words, "run.output_root=outputs,blocked", *launcher]
    with terminal(command, cwd=tmp_path, columns=100) as opened:
        code = opened.ended()
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", opened.seen.replace("\r\n", "\n"))
    assert code == 1
    assert re.search(r"4 jobs: .*\d waiting", seen)  # before the last of them begins
    lines = [
        "4 jobs: 2 failed, 2 complete",
        *(f"{n}  {state} .*" for n, state in enumerate(("complete", "failed") * 2)),
    ]
    assert re.search("\n".join(lines), seen)
    end = seen[seen.rindex("4 jobs:\n") :]
    assert "experiment.degree" in end
    assert "advlab: 2 of 4 jobs failed" in end
    assert not re.search(r"%\|", seen)  # no bar of a job beside the view
    (folder,) = (tmp_path / "outputs/.sweeps").iterdir()
    assert not list(folder.glob("state-*")) + list(folder.glob("view"))
    if launcher:  # what jobs in other processes say is in files
        assert "writing to" not in seen
        assert "writing to outputs/hard_points" in (folder / "job-0.txt").read_text()
        assert "what it said: " in end
    assert json.loads((folder / "outcome-3.json").read_text())["status"] == "failed"
