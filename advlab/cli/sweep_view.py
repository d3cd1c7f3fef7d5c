"""All jobs of a sweep in one view on a terminal, however they are carried out: what each does, how far it is, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.cli.streams import take_back
from advlab.cli.sweep_job import VIEW
from advlab.errors import printable
from advlab.results.terminal import terminal_width
from advlab.store.atomic import write_atomic

LOOKS_A_SECOND = 2
MOST_CUT = 10  # signs that are left of a label, however narrow the terminal is
OF_STATES = {
    "running": "bold", "failed": "bold red", "interrupted": "yellow", "waiting": "bright_black", "complete": "green",
}  # fmt: skip
#: the order in which jobs are shown where not all fit
ORDER: tuple[str, ...] = ("running", "failed", "interrupted", "waiting", "complete")


@dataclass(frozen=True)
class Job:
    """What is known of a job: its state, what it does or how it ended, the share that is done, and the seconds left."""

    number: int
    state: str
    doing: str = ""
    share: float = 0.0
    left: float = 0.0

    @property
    def progress(self) -> str:
        """`isotropy 40 %, 12 s left`."""
        if self.state != "running" or not self.doing:
            return self.doing
        return f"{self.doing} {self.share:.0%}" + (f", {self.left:.0f} s left" if self.left and self.share else "")


def jobs_of(folder: Path, count: int) -> list[Job]:
    """All jobs, by what they have written to the sweep's folder."""
    jobs = []
    for number in range(count):
        if outcome := read(folder / f"outcome-{number}.json"):
            state = str(outcome.get("status", ""))
            state = "complete" if state == "nothing left to do" else state if state in ORDER else "failed"
            jobs.append(Job(number, state, "" if state == "complete" else str(outcome.get("detail", ""))))
        elif said := read(folder / f"state-{number}.json"):
            done, total = int(said["done"]), int(said["total"])
            doing = str(said["title"]) if total else ""
            jobs.append(Job(number, "running", doing, done / max(1, total), float(said["left"])))
        else:
            jobs.append(Job(number, "waiting"))
    return jobs


def read(path: Path) -> dict[str, Any]:
    """What a job has written; nothing where it has not."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class SweepView:
    """What a terminal shows of a sweep, made anew from its folder at each look."""

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.folder, self.labels = folder, labels

    def __rich__(self) -> Any:
        """A line that counts, and a line for each job, or for as many as fit."""
        from rich.text import Text

        jobs = jobs_of(self.folder, len(self.labels))
        shown = Text(no_wrap=True, overflow="crop")
        for number, line in enumerate(
            view_lines(jobs, self.labels, terminal_width(), shutil.get_terminal_size().lines)
        ):
            shown.append(("\n" if number else "") + line)
        for state, style in OF_STATES.items():
            shown.highlight_regex(re.compile(rf"^ *\d+  {state}\b", re.MULTILINE), style)
        return shown


def view_lines(jobs: Sequence[Job], labels: Sequence[str], width: int, height: int) -> list[str]:
    """How many jobs are in each state, then a line for each job, or for as many as fit: those that run or failed first.

    Args:
        jobs: all of them.
        labels: of each; cut where the line does not hold them.
        width: of a line.
        height: of the terminal.
    """
    counts = {state: sum(job.state == state for job in jobs) for state in ORDER}
    counted = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    most = max(1, height - 3)
    shown = sorted(sorted(jobs, key=lambda job: ORDER.index(job.state))[:most], key=lambda job: job.number)
    left_out = f" ({len(shown)} shown)" if len(shown) < len(jobs) else ""
    numbers = len(str(len(jobs) - 1))
    states = max((len(job.state) for job in shown), default=0)
    progress = max((len(job.progress) for job in shown if job.state == "running"), default=0)
    room = max(MOST_CUT, width - numbers - states - progress - 6)
    names = [cut(printable(labels[job.number]), room) for job in shown]
    longest = max(map(len, names), default=0)
    lines = [f"{len(jobs)} jobs: {counted}{left_out}"]
    for job, name in zip(shown, names, strict=True):
        line = f"{job.number:>{numbers}}  {job.state:<{states}}  {name:<{longest}}  {printable(job.progress)}"
        lines.append(cut(line.rstrip(), width))
    return lines


def cut(text: str, width: int) -> str:
    """A text of at most `width` signs, the last of which says that there was more."""
    return text if len(text) <= width else text[: width - 1] + "…"


@contextlib.contextmanager
def view_of_all(folder: Path, labels: Sequence[str]) -> Iterator[None]:
    """While the block runs, show all jobs at the foot of the terminal; what they say scrolls above. Nothing without a terminal."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    from rich.console import Console
    from rich.live import Live

    take_back()
    write_atomic(folder / VIEW, str(os.getpid()).encode())
    colours: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}
    console = Console(
        file=sys.stderr, width=terminal_width(), force_terminal=True, highlight=False, markup=False, **colours
    )
    view = SweepView(folder, labels)
    try:
        with Live(
            get_renderable=lambda: view, console=console, refresh_per_second=LOOKS_A_SECOND, transient=True,
            redirect_stdout=sys.stdout.isatty(), redirect_stderr=True,
        ):  # fmt: skip
            yield
    finally:
        for path in [folder / VIEW, *folder.glob("state-*.json")]:
            path.unlink(missing_ok=True)
