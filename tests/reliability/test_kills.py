"""Runs that are killed at any moment go on where they were; finished ones are left alone."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from advlab.store.run_directory import RunDirectory
from tests.helpers.run_files import FAMILY, RUN, cells, clean, complete, snapshot, version
from tests.helpers.run_workshop import Workshop


def test_twenty_kills_at_random_moments(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """After each, what stands is whole; resumed, no finished cell is measured again and the table has the same bytes."""
    started = time.monotonic()
    workshop.run(*RUN, root=tmp_path / "timed", TOY_SLEEP=0.02)
    duration = time.monotonic() - started
    moments, kills, within = random.Random(0), 0, 0
    for number in range(20):
        if kills >= 20:
            break
        root, log = tmp_path / str(number), tmp_path / f"{number}.log"
        run = version(root)
        for _ in range(5):
            if run.plan_path.exists():
                process = workshop.start("resume", str(run.path), TOY_SLEEP=0.02, TOY_LOG=log)
            else:
                process = workshop.start(*RUN, "run.resume=true", root=root, TOY_SLEEP=0.02, TOY_LOG=log)
            time.sleep(moments.uniform(0, 0.8 * duration))
            process.kill(signal.SIGKILL)
            ended = process.wait()
            if ended.code == 0:
                break
            assert ended.code == -signal.SIGKILL
            kills += 1
            within += 0 < len(cells(run)) < 25
            assert not run.finished() or run.damaged() == []
        before = {
            name: entry for name, entry in snapshot(run).items() if name.startswith("cells/") and "tmp" not in name
        }
        if number % 2 and run.plan_path.exists():
            ended = workshop.run("resume", str(run.path), TOY_LOG=log)
        else:
            ended = workshop.run(*RUN, "run.resume=true", root=root, TOY_LOG=log)
        run = RunDirectory.versions(root / FAMILY)[-1]  # one that was killed before its plan is passed over
        complete(ended, run, table)
        after = snapshot(run)
        if run.path.name == "v001":
            assert {name: after[name] for name in before} == before
        measured = log.read_text().split()
        repeated = len(measured) - len(set(measured))
        assert repeated <= 5  # at most the one that each kill cut off before it was written
    assert kills >= 20
    assert within >= 5  # the moments have met the cells


def test_with_nothing_left_to_do_nothing_changes(workshop: Workshop, reference: RunDirectory) -> None:
    before = snapshot(reference)
    root = reference.path.parent.parent.parent
    for ended in (
        workshop.run(*RUN, "run.resume=true", root=root),
        workshop.run("resume", str(reference.path)),
    ):
        assert ended.code == 0, ended.err
        assert "nothing left to do" in ended.out
        clean(ended.err)
    assert snapshot(reference) == before
    assert [run.path.name for run in RunDirectory.versions(root / FAMILY)] == ["v001"]
