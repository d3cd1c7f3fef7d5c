"""Runs steps in a process beside this one, so that one that raises, hangs or crashes ends alone, and a deadline is kept."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.gpu.setting import Setting
from benchmarks.gpu.step import DONE, FAILED, NOT_RUN, Outcome, Step
from benchmarks.report import Report

#: seconds that every step may take at least, whatever it is expected to: the first in a process loads torch and CUDA
LEAST = 60.0
TIMES = 3  # as long as expected: then a step hangs


class Worker:
    """The process in which steps run, one after the other, until one fails: an error may leave a device unusable.

    Args:
        setting: of the steps.
    """

    def __init__(self, setting: Setting) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setting), daemon=False)
        self.process.start()
        theirs.close()  # so that its end is seen here

    def do(self, step: Step, seconds: float) -> Outcome:
        """What becomes of a step that may take so many seconds."""
        started = time.monotonic()

        def outcome(status: str, note: str = "", **others: Any) -> Outcome:
            return Outcome(step.name, status, time.monotonic() - started, note, required=step.required, **others)

        try:
            self.connection.send(step)
            if not self.connection.poll(seconds):
                return outcome(FAILED, f"ended: it was not through after {seconds:.0f} s")
            report, error = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(10)
            return outcome(FAILED, f"its process died with exit status {self.process.exitcode}")
        if error:
            return outcome(FAILED, error.strip().splitlines()[-1], traceback=error, report=report)
        return outcome(DONE, report=report)

    def close(self) -> None:
        """End the process, whatever it is at."""
        self.connection.close()
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(10)


def serve(connection: Connection, setting: Setting) -> None:
    """Run the steps that arrive, until one fails; answer with what each measured, and its traceback."""
    with setting.entered():
        while True:
            try:
                step = connection.recv()
            except EOFError:
                return
            report, error = Report(), ""
            try:
                step.run(report, setting)
            except Exception:  # whatever a step raises ends this process, and not the script
                error = traceback.format_exc()
            connection.send((report, error))
            if error:
                return


def run_steps(
    steps: Sequence[Step], setting: Setting, seconds: float, written: Callable[[list[Outcome]], None]
) -> list[Outcome]:
    """Run steps in their order, within so many seconds; `written` is called with all outcomes so far after each.

    A step that is expected to take longer than what is left is not run; later ones that fit are.
    """
    deadline, worker, outcomes = time.monotonic() + seconds, None, list[Outcome]()
    try:
        for step in steps:
            left = deadline - time.monotonic()
            if left < step.seconds:
                note = f"out of time: {step.seconds:.0f} s are expected, {max(0.0, left):.0f} s were left"
                outcomes.append(Outcome(step.name, NOT_RUN, note=note, required=step.required))
            else:
                worker = worker or Worker(setting)
                outcomes.append(worker.do(step, min(left, max(LEAST, TIMES * step.seconds))))
                if outcomes[-1].status != DONE:
                    worker.close()
                    worker = None
            written(outcomes)
    finally:
        if worker is not None:
            worker.close()
    return outcomes
