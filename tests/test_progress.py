"""Progress: a bounded number of lines where it is redirected, the time that is left, and a bar on a terminal."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from advlab import progress as progress_module
from advlab.progress import PLAIN_LINES, Progress, TaskProgress


class Clock:
    """Time that passes when told."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "pace",
    [
        lambda share: 1.0, lambda share: 0.001, lambda share: 60.0, lambda share: 1e-3 if share < 0.95 else 100.0,
        lambda share: 100.0 if share < 0.05 else 1e-3, lambda share: 10 ** (4 * share - 2), lambda share: 10 ** (2 - 4 * share),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("total", "done"), [(1000, 0), (1000, 990), (7, 0), (1, 0), (100_000, 5)])
def test_redirected_progress_is_a_bounded_number_of_lines(
    pace: Callable[[float], float],
    total: int,
    done: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    with Progress("isotropy", total, done) as progress:
        for step in range(done + 1, total + 1):
            clock.now += pace(step / total)
            progress.update(step, "loss 0.1")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert "\r" not in captured.err
    assert len(lines) <= PLAIN_LINES
    if clock.now > 5 * 3 * PLAIN_LINES and total - done >= PLAIN_LINES and pace(0) == pace(1):
        assert len(lines) >= PLAIN_LINES - 2
    assert all(line.startswith("isotropy: ") and " s left, loss 0.1" in line for line in lines)


def test_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    progress = Progress("x", 120, 20)
    clock.now = 100.0
    progress.update(70)
    progress.close()
    assert capsys.readouterr().err == "x: 70 of 120 (58 %), 100 s left\n"


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("isotropy", 3) as progress:
        for step in range(1, 4):
            progress.update(step)
    assert "isotropy" in capsys.readouterr().err


def test_one_task_after_the_other_each_with_its_own_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    report_progress = TaskProgress()
    for title in ("features", "clean accuracy"):
        for done in (0, 1, 2):
            clock.now += 10
            report_progress(title, done, 2)
    report_progress("features", 0, 4)  # another number of steps is another task, which begins anew
    clock.now += 10
    report_progress("features", 1, 4)
    report_progress.close()
    report_progress.close()
    titles = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert titles == ["features", "clean accuracy", "features"]


def test_closing_takes_the_bar_of_an_unfinished_task_away(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Progress, "close", lambda self: closed.append(self.title))
    report_progress = TaskProgress()
    report_progress("features", 1, 4)
    report_progress("clean accuracy", 1, 4)
    assert closed == ["features"]
    report_progress.close()
    assert closed == ["features", "clean accuracy"]


def test_who_knows_better_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    progress = Progress("x", 10)
    clock.now = 100.0
    progress.update(5, seconds_left=lambda: 2.0)
    assert capsys.readouterr().err == "x: 5 of 10 (50 %), 2 s left\n"


def test_a_notebook_has_a_bar_without_widgets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it displays is drawn in one place, and remains as how far the task has come."""
    drawn: list[dict[str, str]] = []

    class Handle:
        def update(self, shown: Any) -> None:
            drawn.append(shown._repr_mimebundle_())

    def display(shown: Any, *, display_id: bool) -> Handle:
        assert display_id
        drawn.append(shown._repr_mimebundle_())
        return Handle()

    ipython = types.ModuleType("IPython")
    monkeypatch.setattr(ipython, "get_ipython", lambda: types.SimpleNamespace(kernel=object()), raising=False)
    shown = types.ModuleType("IPython.display")
    monkeypatch.setattr(shown, "display", display, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    with Progress("a <b>", 4) as progress:
        clock.now = 10.0
        progress.update(1, "loss 0.1")
        progress.update(2)  # at once: not drawn
        clock.now = 20.0
        progress.update(3)
    assert [bundle["text/plain"] for bundle in drawn] == [
        "a <b>: 0 of 4", "a <b>: 1 of 4, 30 s left, loss 0.1", "a <b>: 3 of 4, 7 s left", "a <b>: 3 of 4",
    ]  # fmt: skip
    assert 'a &lt;b&gt; <progress value="1" max="4"></progress> 1 of 4, 30 s left' in drawn[1]["text/html"]
    assert capsys.readouterr().err == ""


def test_ipython_at_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = types.ModuleType("IPython")
    monkeypatch.setattr(ipython, "get_ipython", lambda: types.SimpleNamespace(), raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not progress_module.in_notebook()
