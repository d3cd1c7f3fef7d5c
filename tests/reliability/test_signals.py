"""Runs that are interrupted end cleanly, keep what was measured, and say how to go on."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import advlab
from advlab.engine.interrupts import Interrupts
from advlab.errors import Interrupted, ResultError
from advlab.store.run_directory import RunDirectory
from tests.helpers.run_files import FAMILY, RUN, cells, clean, complete, version
from tests.helpers.run_workshop import Workshop


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_real_process_cleanly(
    number: signal.Signals, code: int, workshop: Workshop, table: bytes, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "advlab", "--plugin", str(workshop.plugin), *RUN, f"run.output_root={tmp_path}/with space"],
        env={**workshop.environment, "TOY_SLEEP": "0.2"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=tmp_path,
    )  # fmt: skip
    run = version(tmp_path / "with space")
    end = time.monotonic() + 300
    while len(cells(run)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    clean(out + err)
    said, _, command = err.splitlines()[-1].partition(": ")
    assert said == "interrupted; go on with"
    assert shlex.split(command) == ["advlab", "--plugin", str(workshop.plugin), "resume", str(run.path)]
    assert run.manifest()["status"] == "interrupted"
    assert run.manifest()["reason"] == number.name
    assert list(run.path.rglob("*.tmp")) == []
    with pytest.raises(ResultError, match="is interrupted: go on with"):
        advlab.load(run.path)
    complete(workshop.run("resume", str(run.path)), run, table)
    assert advlab.load(run.path).manifest["cells_resumed"] >= 2


def test_many_signals_at_random_moments(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    moments = random.Random(1)
    runs = []
    for number in range(8):
        root = tmp_path / str(number)
        process = workshop.start(*RUN, root=root, TOY_SLEEP=0.03)
        process.until((root / FAMILY).exists)
        time.sleep(moments.uniform(0, 0.6))
        process.kill(signal.SIGTERM)
        if number % 2:  # an impatient user
            with contextlib.suppress(ProcessLookupError):
                process.kill(signal.SIGTERM)
        ended = process.wait()
        assert ended.code in (0, 143), ended.err
        clean(ended.err)
        run = version(root)
        if ended.code == 143:
            assert "advlab --plugin" in ended.err or "type the same command again" in ended.err
            assert not run.finished() or run.damaged() == []
            runs.append(run)
    assert len(runs) >= 3
    complete(workshop.run("resume", str(runs[0].path)), runs[0], table)


def test_a_signal_during_training(workshop: Workshop, tmp_path: Path) -> None:
    arguments = ("model=lenet", "dataset=digits", "recipe.epochs=1000", "run.device=cpu")
    process = workshop.start(*arguments, root=tmp_path / "out", ADVLAB_CACHE=tmp_path / "cache")
    process.until(lambda: "training lenet" in process.err.read_text())
    time.sleep(0.5)
    process.kill(signal.SIGTERM)
    ended = process.wait()
    assert ended.code == 143
    clean(ended.err)
    assert (
        ended.err.splitlines()[-1]
        == "interrupted before the first measurement, no run was begun: type the same command again"
    )
    assert not (tmp_path / "out").exists()
    assert [path for path in (tmp_path / "cache" / "weights").iterdir() if path.is_dir()] == []


def test_a_signal_before_a_resumed_run_measures(workshop: Workshop, killed_run: RunDirectory) -> None:
    before = "import advlab.engine.torch_setup as setup; setup.load_dataset = lambda *_: os.kill(os.getpid(), 15)"
    ended = workshop.run("resume", str(killed_run.path), before=before)
    assert ended.code == 143
    clean(ended.err)
    assert f"resume {killed_run.path}" in ended.err


def test_the_shield_holds_signals_back() -> None:
    interrupts, seen = Interrupts(), []
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def write() -> None:
        with interrupts.active(), interrupts.shield():
            with interrupts.shield():
                os.kill(os.getpid(), signal.SIGTERM)
                seen.append("inner")
            seen.append("outer")

    with pytest.raises(Interrupted) as caught:
        write()
    assert seen == ["inner", "outer"]
    assert caught.value.exit_code == 143
    with pytest.raises(Interrupted), interrupts.active():
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_signal_that_python_ignores_is_raised_by_the_next_shield(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a signal raises inside a finalizer or a callback of the garbage collector, Python prints and forgets."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    interrupts, seen = Interrupts(), list[str]()
    monkeypatch.setattr(sys, "unraisablehook", lambda _: seen.append("ignored"))

    def work() -> None:
        Finalized()
        gc.collect()
        seen.append("went on")
        with interrupts.shield():
            seen.append("written")

    with pytest.raises(Interrupted), interrupts.active():
        work()
    assert seen == ["ignored", "went on", "written"]
