"""What guards the steps of the script for a GPU: one that raises, dies, hangs or comes too late leaves the others."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.gpu import guard, steps
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.step import Step
from benchmarks.report import Ratio, Report


def adds(value: float, report: Report, setting: Setting) -> None:
    report.ratios.append(Ratio("adding", "number", value, 0.0, "at most 2", value <= 2))


def raises(report: Report, setting: Setting) -> None:
    adds(1.0, report, setting)
    raise RuntimeError("CUDA error: a thing | happened")


def dies(report: Report, setting: Setting) -> None:
    os._exit(7)


def hangs(report: Report, setting: Setting) -> None:
    time.sleep(600)


@pytest.mark.long
def test_a_step_that_raises_dies_or_hangs_leaves_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(guard, "LEAST", 1.0)
    ones = [Step(f"one {n}", partial(adds, 1.0), 20) for n in range(2)]
    chosen = [ones[0], Step("raises", raises, 20), Step("dies", dies, 20), Step("hangs", hangs, 1), ones[1]]
    monkeypatch.setattr(steps, "STEPS", chosen)
    assert main(["--small", "--output", str(tmp_path)]) == 1
    entries = {entry["step"]: entry for entry in json.loads((tmp_path / "gpu.json").read_text())["steps"]}
    assert {name: entry["status"] for name, entry in entries.items()} == {
        "one 0": "done", "raises": "failed", "dies": "failed", "hangs": "failed", "one 1": "done",
    }  # fmt: skip
    assert entries["raises"]["note"] == "RuntimeError: CUDA error: a thing | happened"
    assert "in raises" in entries["raises"]["traceback"]
    assert len(entries["raises"]["ratios"]) == 1  # what it had measured before
    assert entries["dies"]["note"] == "its process died with exit status 7"
    assert entries["hangs"]["note"] == "ended: it was not through after 3 s"
    row = next(line for line in (tmp_path / "gpu.md").read_text().splitlines() if line.startswith("| raises"))
    assert row.endswith("| RuntimeError: CUDA error: a thing / happened |")


def test_what_does_not_fit_before_the_deadline_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(steps, "STEPS", [Step("long", hangs, 3600), Step("longer", hangs, 7200)])
    assert main(["--small", "--minutes", "1", "--output", str(tmp_path)]) == 0
    for entry in json.loads((tmp_path / "gpu.json").read_text())["steps"]:
        assert entry["status"] == "not run"
        assert entry["note"].startswith("out of time: ")


def test_the_deadline_ends_a_step_that_is_under_way() -> None:
    started, seen = time.monotonic(), list[int]()
    (outcome,) = guard.run_steps(
        [Step("hangs", hangs, 0.1)], Setting(small=True), 3, lambda so_far: seen.append(len(so_far))
    )
    assert outcome.status == "failed"
    assert seen == [1]
    assert time.monotonic() - started < 60
