"""Workers that are lost before the first unit, or that say nothing any more."""

from __future__ import annotations

import os
import signal

import pytest

from tests.helpers.shared_runs import Shared, is_alive, shared_table

PREPARES = '''
    def prepare(self, ctx):
        """Nothing, once told to die."""
        act("prepare")
        return {}

    def cells(self, ctx):'''
IMPATIENT = """
from advlab.engine.workers import start
start.SECONDS_OF_SILENCE = 5  # the least that Dask takes
"""


def test_a_worker_that_dies_while_it_prepares_is_counted(shared: Shared) -> None:
    shared.plugin.write_text(shared.plugin.read_text().replace("\n    def cells(self, ctx):", PREPARES))
    shared.order("prepare", "die")
    ended = shared.measure("run.workers=2")
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table()
    assert shared.log()[:2] == ["prepare", "prepare"]
    assert shared.manifest()["workers"]["lost"] == 1


@pytest.mark.long
def test_what_a_silent_worker_had_in_work_is_done_by_others(shared: Shared) -> None:
    """It is stopped in the middle of a cell, as on a machine that hangs: its connections stay open."""
    shared.plugin.write_text(shared.plugin.read_text() + IMPATIENT)
    release = shared.hold("n-3")
    process = shared.start("experiment=shared", "run.workers=2", "experiment.count=8")
    shared.until(lambda: "n-3" in shared.begun())
    silent = shared.begun()["n-3"]
    os.kill(silent, signal.SIGSTOP)
    release()
    ended = shared.ended(process)
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table(8)
    assert shared.begun()["n-3"] != silent
    assert shared.manifest()["workers"]["lost"] == 1
    assert not is_alive(silent)
