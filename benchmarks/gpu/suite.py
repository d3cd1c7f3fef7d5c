"""The device-dependent tests, on the device itself, in a process of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.gpu.setting import Setting
from benchmarks.gpu.wheels import CHECKOUT
from benchmarks.report import Ratio, Report

#: tests that run on CUDA where there is one; `tests/device` pretends one where there is none
PATHS = ("tests/device",)
TRIAL = ("tests/test_progress.py",)  # in a trial, where only this step itself is tried
SECONDS = 140  # after which they are interrupted, and what ran until then counts
#: pytest, which hears of SIGINT also where it was started in the background, whose processes ignore it
PYTEST = (
    "import pytest, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "sys.exit(pytest.main(sys.argv[1:]))"
)
MESSAGE = 2000  # letters of each failure's message
GRACE = 20  # seconds in which pytest then writes what it has


def run(report: Report, setting: Setting) -> None:
    """Run them, and count.

    Raises:
        RuntimeError: pytest cannot run them at all, or was interrupted (the report has what ran before).
    """
    paths = [path for path in (TRIAL if setting.trial else PATHS) if (CHECKOUT / path).exists()]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "tests.xml"
        command = [sys.executable, "-c", PYTEST, "-q", "-p", "no:cacheprovider", f"--junitxml={written}", *paths]
        said, late = ended(command, SECONDS)
        if not written.is_file():
            raise RuntimeError(f"pytest cannot run {' '.join(paths)}: {said.strip()[-2000:]}")
        counts, failed = counted(written)
    report.facts["tests"] = ", ".join(f"{count} {what}" for what, count in counts.items()) + f" of {' '.join(paths)}"
    bad = counts["failures"] + counts["errors"]
    report.ratios.append(Ratio("tests", "that failed", bad, 0.0, "0", bad == 0))
    ran = counts["tests"] - counts["skipped"]
    report.ratios.append(Ratio("tests", "that ran", ran, 0.0, "at least 1", ran >= 1))
    if failed:
        report.tables["tests that failed"] = failed
    if late:
        raise RuntimeError(f"the tests were not through after {SECONDS} s: {' '.join(paths)}")


def ended(command: list[str], seconds: float) -> tuple[str, bool]:
    """What a command in the checkout said, and whether it had to be interrupted after so many seconds."""
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            return process.communicate(timeout=seconds)[0], False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=GRACE)[0], True
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0], True


def counted(written: Path) -> tuple[dict[str, int], list[dict[str, str]]]:
    """How many tests there were, failed and were skipped, and a row for each that failed, from pytest's XML."""
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    failed = []
    for suite in ElementTree.parse(written).getroot().iter("testsuite"):
        for name in counts:
            counts[name] += int(suite.get(name, 0))
        for case in suite.iter("testcase"):
            for problem in [*case.iter("failure"), *case.iter("error")]:
                message = re.sub(r"\s+", " ", problem.get("message") or "").replace("|", "/")[:MESSAGE]
                failed.append({"test": f"{case.get('classname')}::{case.get('name')}", "message": message})
    return counts, failed
