"""`advlab status` of runs whose files others have written."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advlab.cli.status import status_text
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.commands import Ended
from tests.helpers.strangers import ISOTROPY

RUN = Path("outputs/isotropy/digits-lenet/v001")
SAID: dict[str, Any] = {
    "time": 0, "workers": ["0", "1"], "lost": 1, "cells_a_second": 2.5, "seconds_left": 7, "in_work": {"0": ["cell:a", "cell:b"]},
}  # fmt: skip


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["  2 workers, 1 lost, 2.5 cells/s, 7 s left", "  0: cell:a, then cell:b", "  1: nothing"]),
    ({"lost": float("inf")}, []),
    ({"workers": 3}, []),
    ({"in_work": "text"}, []),
    ({"time": "soon"}, []),
    ({"workers": ["\x1b[2J"], "in_work": {}}, ["  1 worker, 1 lost, 2.5 cells/s, 7 s left", "  \\x1b[2J: nothing"]),
]


def test_what_others_have_written_is_passed_over_or_shown_and_controls_no_terminal(cli: Callable[..., Ended]) -> None:
    assert cli(*ISOTROPY).code == 0
    directory = RunDirectory(RUN)
    with directory.lock():
        for said, shown in CASES:
            (RUN / "status.json").write_text(json.dumps({**SAID, "time": time.time(), **said}))
            text, under_way = status_text(directory)
            first, *lines = text.splitlines()
            assert under_way
            assert first.startswith(f"{RUN}: ")
            assert lines == shown
    with directory.lock():
        assert not (RUN / "status.json").exists()  # what a runner that was killed had said
    manifest = read_sealed(RUN / "manifest.json")
    write_sealed(RUN / "manifest.json", {**manifest, "status": "failed", "reason": "a\x1b[2Jb"})
    out = cli("status", str(RUN)).out
    assert "failed (a\\x1b[2Jb)" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_draws_in_one_place_on_a_terminal(
    terminal: bool, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*ISOTROPY).code == 0
    lock = contextlib.ExitStack()
    lock.enter_context(RunDirectory(RUN).lock())
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            lock.close()

    monkeypatch.setattr("advlab.cli.status.time.sleep", sleep)
    monkeypatch.setattr("advlab.cli.status.on_terminal", lambda: terminal)
    out = cli("status", str(RUN), "--watch").out
    lines = [f"{RUN}: 1 of 1 cell\n", f"{RUN}: 1 of 1 cell\n", f"{RUN}: complete, 1 cell\n"]
    assert out == ("\x1b[1A\x1b[J" if terminal else "").join(lines)


def test_alone_it_lists_the_newest_runs(cli: Callable[..., Ended]) -> None:
    assert "there are no runs below outputs yet" in cli("status").err
    assert cli(*ISOTROPY).code == 0
    assert cli(*ISOTROPY, "run.seed=1").code == 0
    first, second = cli("status").out.splitlines()
    assert first == f"{RUN}: complete, 1 cell: lenet on digits"
    assert second.startswith("outputs/isotropy/digits-lenet/v002: complete")
    (RUN / "manifest.json").unlink()
    assert f"{RUN}: its process was killed, 1 of 1 cell" in cli("status").out
