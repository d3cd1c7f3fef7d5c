"""What a step is, and what became of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.gpu.setting import Setting
from benchmarks.report import Report

DONE, FAILED, NOT_RUN = "done", "failed", "not run"


@dataclass(frozen=True)
class Step:
    """One guarded piece of the script.

    Attributes:
        name: in the table.
        run: adds what it measured to the report.
        seconds: that it is expected to take on an H100; it is not begun with fewer left, and is ended after three times as many
            (`LEAST` at least).
        required: its aims are about being right, and not about speed: one that is missed makes the exit status 1.
    """

    name: str
    run: Callable[[Report, Setting], None]
    seconds: float
    required: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        step: its name.
        status: DONE, FAILED or NOT_RUN.
        seconds: that it took.
        note: why it failed or was not run: the last line of a traceback, for example.
        traceback: all of it.
        report: what it had measured, also where it failed.
        required: see `Step`.
    """

    step: str
    status: str
    seconds: float = 0.0
    note: str = ""
    traceback: str = ""
    report: Report = field(default_factory=Report)
    required: bool = False

    @property
    def wrong(self) -> bool:
        """Whether it failed, or an aim that must be reached was missed."""
        missed = self.required and any(not ratio.reached for ratio in self.report.ratios)
        return self.status == FAILED or missed
