"""The device-dependent tests, on the device itself, in a process of their own."""

from __future__ import annotations

import re
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
SECONDS = 120  # after which they are ended


def run(report: Report, setting: Setting) -> None:
    """Run them, and count.

    Raises:
        RuntimeError: pytest cannot run them at all.
    """
    paths = [path for path in (TRIAL if setting.trial else PATHS) if (CHECKOUT / path).exists()]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={written}", *paths]
        try:
            done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"the tests were not through after {SECONDS} s: {' '.join(paths)}") from error
        if not written.is_file():
            raise RuntimeError(f"pytest cannot run {' '.join(paths)}: {(done.stderr or done.stdout).strip()[-2000:]}")
        counts, failed = counted(written)
    report.facts["tests"] = ", ".join(f"{count} {what}" for what, count in counts.items()) + f" of {' '.join(paths)}"
    bad = counts["failures"] + counts["errors"]
    report.ratios.append(Ratio("tests", "that failed", bad, 0.0, "0", bad == 0))
    ran = counts["tests"] - counts["skipped"]
    report.ratios.append(Ratio("tests", "that ran", ran, 0.0, "at least 1", ran >= 1))
    if failed:
        report.tables["tests that failed"] = failed


def counted(written: Path) -> tuple[dict[str, int], list[dict[str, str]]]:
    """How many tests there were, failed and were skipped, and a row for each that failed, from pytest's XML."""
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    failed = []
    for suite in ElementTree.parse(written).getroot().iter("testsuite"):
        for name in counts:
            counts[name] += int(suite.get(name, 0))
        for case in suite.iter("testcase"):
            for problem in [*case.iter("failure"), *case.iter("error")]:
                message = re.sub(r"\s+", " ", problem.get("message") or "").replace("|", "/")[:300]
                failed.append({"test": f"{case.get('classname')}::{case.get('name')}", "message": message})
    return counts, failed
