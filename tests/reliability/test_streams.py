"""What is finished on disk is finished, whatever becomes of the last lines: closed, full, ASCII alone, or cut short by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import advlab
from advlab.cli.streams import LastingStream
from advlab.engine.interrupts import Interrupts
from advlab.errors import Interrupted
from tests.helpers.commands import Ended
from tests.helpers.long_cases import long_but, one_in
from tests.helpers.plugins import EXPERIMENT, write

RUN = "outputs/squares/v001"


@pytest.fixture(autouse=True)
def nothing_is_ignored() -> Iterator[None]:
    """`nohup` and a shell's `&` have signals ignored, which is inherited."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    return Path(write(tmp_path, EXPERIMENT.replace('title = "Squares"', 'title = "Quadrate größer"')))


def bash(folder: Path, line: str, environment: dict[str, str] | None = None) -> Ended:
    """Carry out a line of bash in which `advlab` is this project's; the exit code is that of the first command of a pipe."""
    script = f'advlab() {{ "{sys.executable}" -m advlab "$@"; }}\n{line}\nexit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace",
        env={**os.environ, **(environment or {})}, timeout=300, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "ending", long_but(["2>&1 | true", ">/dev/full", "2>&-", "<&- >&- 2>&-"], ">/dev/full", "2>&-")
)
def test_a_run_is_complete_whatever_becomes_of_its_lines(ending: str, plugin: Path, tmp_path: Path) -> None:
    ended = bash(tmp_path, f"advlab --plugin {plugin} experiment=squares {ending}")
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err
    run = advlab.load(tmp_path / RUN)
    assert run.manifest["status"] == "complete"
    assert list(run.table["square"]) == [0, 1, 4]
    assert ("warning: standard output could not be written (No space left" in ended.err) == (ending == ">/dev/full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs", plugin.name]


def test_the_same_for_sweeps_plots_and_resumed_runs(plugin: Path, tmp_path: Path) -> None:
    sweep = bash(tmp_path, f"advlab --plugin {plugin} -m experiment=squares run.seed=1,2 2>&- | true")
    assert sweep.code == 0, sweep.err
    runs = [advlab.load(tmp_path / f"outputs/squares/v00{number}") for number in (1, 2)]
    assert [run.manifest["status"] for run in runs] == ["complete", "complete"]
    assert len(list((tmp_path / "outputs/.sweeps").glob("*/sweep.csv"))) == 1
    figure = tmp_path / RUN / "figures/squares.png"
    figure.unlink()
    plot = bash(tmp_path, f"advlab --plugin {plugin} plot {RUN} >/dev/full")
    assert (plot.code, plot.err) == (0, "warning: standard output could not be written (No space left on device)\n")
    assert figure.is_file()
    (tmp_path / RUN / "manifest.json").unlink()
    resumed = bash(tmp_path, f"advlab --plugin {plugin} resume {RUN} >&- 2>&-")
    assert (resumed.code, resumed.out, resumed.err) == (0, "", "")
    assert advlab.load(tmp_path / RUN).manifest["status"] == "complete"


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}


def test_a_locale_of_ascii_alone(plugin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "größer"
    folder.mkdir()
    line = f"advlab --plugin {plugin} experiment=squares \"run.output_root='{folder}/ausgäbe'\""
    ended = bash(folder, line, ASCII)
    assert ended.code == 0, ended.err
    assert advlab.load(folder / "ausgäbe/squares/v001").manifest["status"] == "complete"
    assert "Quadrate gr\\xf6\\xdfer" in ended.out


@pytest.mark.parametrize(
    "words", one_in(2, ["list attacks", "list --help", "--version", "--cfg job", "completion bash"])
)
def test_what_only_prints_says_that_it_could_not(words: str, plugin: Path, tmp_path: Path) -> None:
    full = bash(tmp_path, f"advlab --plugin {plugin} {words} >/dev/full")
    said = "advlab: standard output could not be written (No space left on device): write it to another place\n"
    assert (full.code, full.err) == (1, said)
    piped = bash(tmp_path, f"advlab --plugin {plugin} {words} | true")
    assert (piped.code, piped.err) == (0, "")


@pytest.mark.parametrize("number", one_in(2, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
def test_a_signal_while_the_last_lines_print(number: signal.Signals, tmp_path: Path) -> None:
    """They are more than a pipe holds that nobody reads, so that the process waits in the midst of them."""
    plugin = write(tmp_path, EXPERIMENT.replace('title = "Squares"', 'title = "Squares" * 50_000'))
    process = subprocess.Popen(
        [sys.executable, "-m", "advlab", "--plugin", plugin, "experiment=squares"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    manifest, end = tmp_path / RUN / "manifest.json", time.monotonic() + 100
    while not manifest.is_file() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "interrupted" not in err
    assert "figure: " not in out  # it was in the midst of them
    assert advlab.load(tmp_path / RUN).manifest["status"] == "complete"


def test_after_completion_a_signal_ends_what_is_said_alone() -> None:
    interrupts, said = Interrupts(), []

    def say() -> None:
        said.append("begun")
        signal.raise_signal(signal.SIGTERM)
        said.append("ended")

    with interrupts.active():
        with interrupts.shield():
            interrupts.complete()
        interrupts.speak(say)
        assert (said, interrupts.after_completion) == (["begun"], signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        interrupts.speak(say)  # whoever has sent a signal wants to read no more
    assert said == ["begun"]


def test_a_signal_during_the_last_write_is_after_completion() -> None:
    interrupts = Interrupts()
    with interrupts.active(), interrupts.shield():
        signal.raise_signal(signal.SIGTERM)
        interrupts.complete()
    assert interrupts.after_completion == signal.SIGTERM
    with pytest.raises(Interrupted), Interrupts().active():
        signal.raise_signal(signal.SIGHUP)


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """As `nohup` does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts().active():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stream_outlasts_its_reader() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = LastingStream(open(writer, "w", encoding="utf-8"))  # noqa: SIM115
    for _ in range(3):
        assert stream.write("x" * 100_000) == 100_000
        stream.flush()
    assert isinstance(stream.error, BrokenPipeError)
    stream._stream.close()  # what was held back does not fail later either
