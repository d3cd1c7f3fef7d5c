"""Runs that are killed at any moment go on where they were; finished ones are left alone."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from advlab.store.run_directory import RunDirectory
from tests.helpers.forker import Started
from tests.helpers.run_files import FAMILY, RUN, cells, clean, complete, snapshot, version
from tests.helpers.run_workshop import Workshop


def begin(workshop: Workshop, root: Path, log: Path) -> Started:
    """The run below an output root: again if it was killed, from its plan where it has one."""
    run = version(root)
    if run.plan_path.exists():
        return workshop.start("resume", str(run.path), TOY_SLEEP=0.02, TOY_LOG=log)
    return workshop.start(*RUN, "run.resume=true", root=root, TOY_SLEEP=0.02, TOY_LOG=log)


def test_twenty_kills_at_random_moments(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """After each, what stands is whole; resumed, no finished cell is measured again and the table has the same bytes.

    A moment is some cells further on and then a part of a cell's time, so that however fast the machine is the kills
    meet the start, the cells and the end.
    """
    moments, kills, within = random.Random(0), 0, 0
    for number in range(5):
        root, log = tmp_path / str(number), tmp_path / f"{number}.log"
        run = version(root)
        log.touch()
        for _ in range(5):
            process = begin(workshop, root, log)
            more = moments.randrange(6)
            goal = len(log.read_text().split()) + more
            while len(log.read_text().split()) < goal and process.poll() is None:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.03 if more else 0.3))
            if process.poll() is None:
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
