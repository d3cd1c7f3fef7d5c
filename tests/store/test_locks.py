"""Locks against other processes: held, waited for, freed by a death; and where the system or the file system has none."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advlab.errors import ResultError
from advlab.store import locks
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.locks import is_locked, locked
from tests.helpers.strangers import ISOTROPY

FORK = multiprocessing.get_context("fork")


def refuse(number: int) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture(params=["locks", "no locks"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that has locks, and one that has none."""
    if request.param == "no locks":
        monkeypatch.setattr("fcntl.flock", refuse(errno.ENOLCK))
    return str(request.param)


def hold(path: Path, ready: Any, seconds: float) -> None:
    with locked(path, wait=False):
        ready.set()
        time.sleep(seconds)


@contextlib.contextmanager
def holder(path: Path, seconds: float) -> Iterator[Any]:
    ready = FORK.Event()
    process = FORK.Process(target=hold, args=(path, ready, seconds))
    process.start()
    assert ready.wait(10)
    try:
        yield process
    finally:
        process.kill()
        process.join()


def test_lock_is_refused_while_held_and_free_after_a_kill(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "folder" / ".lock"
    assert not is_locked(path)
    with holder(path, 60) as process:
        named = rf"mine is busy \(process {process.pid}\)"
        with pytest.raises(ResultError, match=named), locked(path, wait=False, message="mine is busy"):
            pass
        assert is_locked(path)
        process.kill()
        process.join()
        assert not is_locked(path)
        with locked(path, wait=False):
            assert is_locked(path)
        assert not is_locked(path)


def test_a_holder_is_named_only_where_the_system_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCKS_OF_SYSTEM", tmp_path / "nowhere")
    path = tmp_path / ".lock"
    with (
        locked(path, wait=False),
        pytest.raises(ResultError, match=r"^mine is busy$"),
        locked(path, wait=False, message="mine is busy"),
    ):
        pass


def test_a_lock_file_of_another_user_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = tmp_path / ".lock", os.open

    def of_another(name: Any, flags: int, *rest: Any) -> int:
        if Path(name) == path and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "no")
        return opened(name, flags, *rest)

    with locked(path, wait=False):
        monkeypatch.setattr(os, "open", of_another)
        assert is_locked(path)
    assert not is_locked(path)


def test_what_a_process_left_that_was_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here knows whether it lives: the message says what to delete."""
    monkeypatch.setattr("fcntl.flock", refuse(errno.ENOLCK))
    path = tmp_path / ".lock"
    marker = tmp_path / ".lock.held"
    with locked(path, wait=False):
        left = marker.read_text()
    marker.write_text(left.replace(left.splitlines()[1], "elsewhere"))
    with pytest.raises(ResultError, match=rf"If that process is over, delete {marker}"), locked(path, wait=False):
        pass
    assert is_locked(path)
    marker.unlink()
    with locked(path, wait=False):
        pass


def test_lock_waits(tmp_path: Path, file_system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is let go, which here happens after the waiting was said."""
    path, said, left = tmp_path / ".lock", FORK.Event(), FORK.Event()

    def holds() -> None:
        with locked(path, wait=False):
            ready.set()
            assert said.wait(60)
            time.sleep(0.1)
            left.set()

    ready = FORK.Event()
    process = FORK.Process(target=holds)
    process.start()
    assert ready.wait(60)
    monkeypatch.setattr("advlab.store.locks.log.info", lambda *words: said.set())
    with locked(path, wait=True, message="waiting for it"):
        assert left.is_set()
    process.join()


def test_lock_on_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", refuse(errno.EIO))
    with pytest.raises(StorageError, match="could not be locked"), locked(tmp_path / ".lock", wait=False):
        pass


def test_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"run\.output_root"), locked(tmp_path / "file" / ".lock", wait=True):
        pass


def append(path: Path, lock: Path, start: Any, number: int) -> None:
    start.wait()
    for _ in range(5):
        with locked(lock, wait=True):
            numbers = json.loads(path.read_text())
            write_atomic(path, json.dumps([*numbers, number]).encode())


def test_lock_excludes(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "numbers.json"
    path.write_text("[]")
    start = FORK.Event()
    writers = [FORK.Process(target=append, args=(path, tmp_path / ".lock", start, n)) for n in range(8)]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert sorted(json.loads(path.read_text())) == sorted(list(range(8)) * 5)


WITHOUT_FCNTL = """
import os, sys
sys.modules["fcntl"] = None
from advlab.cli.main import run
from advlab.store.locks import is_locked, locked
from advlab.errors import ResultError
from pathlib import Path
assert run(["--cfg", "job"]) == 0
assert run(sys.argv[1:]) == 0
assert run(["resume", "outputs/isotropy/digits-lenet/v001"]) == 0
assert run(["status", "outputs/isotropy/digits-lenet/v001"]) == 0
path = Path("outputs/isotropy/digits-lenet/v001/.lock")
with locked(path, wait=False):
    assert is_locked(path)
    try:
        with locked(path, wait=False):
            sys.exit("held twice")
    except ResultError as error:
        assert f"(process {os.getpid()})" in str(error), error
assert not is_locked(path)
"""


def test_a_system_without_fcntl_composes_runs_and_resumes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore:only soft file lock", "-c", WITHOUT_FCNTL, *ISOTROPY],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "v001: complete, 1 cell" in done.stdout
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "outputs").rglob("*.held"))
