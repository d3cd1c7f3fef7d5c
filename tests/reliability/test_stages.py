"""Runs that are killed in a stage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import Ended
from tests.helpers.staged import STAGED_RUN, log, staged_line


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("where", ["begin", "square", "n-1"])
def test_a_kill_in_a_stage_loses_nothing_that_was_published(
    where: str, number: int, cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGES_LOG", str(tmp_path / "log"))
    line = staged_line(tmp_path)
    environment = {**os.environ, "STAGES_SLEEP": where}
    process = subprocess.Popen(
        [sys.executable, "-m", "advlab", *line],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 300
    while where not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=300)
    assert process.returncode == (-9 if number == signal.SIGKILL else 143)
    order = ["n-0", "begin", "square", "n-1", "n-2"]
    assert log(tmp_path) == order[: order.index(where) + 1]
    ended = cli("--plugin", line[1], "resume", str(STAGED_RUN))
    assert ended.code == 0, ended.err
    assert log(tmp_path) == order[order.index(where) :]
    assert (tmp_path / STAGED_RUN / "table.csv").read_text() == "index,value\n0,0.0\n1,16.0\n2,32.0\n"
    assert not list((tmp_path / "cache").glob("*/.making-*"))
