"""One run on two workers beside two runs of their own, and what one runner takes for each of many units.

Two runs of one thread that are started together keep two cores as busy as they can be: one run on two workers of a thread each
is to measure at least .95 as many cells a second. The time is that of measuring alone (`measuring_seconds` of the manifest);
what starting the workers takes is told beside it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import Ratio, Report

AIM = 0.95
MANY = Path(__file__).with_name("many_units.py")
LINE = (
    "experiment=isotropy",
    "model=lenet",
    "dataset=digits",
    "run.threads=1",
    "run.batch_size=256",
    "run.accuracy_images=100",
)


def run(report: Report, repeats: int, images: int) -> None:
    """Add what is measured to a report.

    Args:
        report: of the run of benchmarks.
        repeats: pairs; 0: five.
        images: samples of a run; 0: 120.
    """
    with tempfile.TemporaryDirectory() as folder:
        efficiency(report, repeats or 5, images or 120, Path(folder))
        growth(report, Path(folder))


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "advlab", *words, f"run.output_root={folder}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def manifest_of(process: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    """Wait for a run, and read what it says of itself.

    Raises:
        RuntimeError: it failed.
    """
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(err)
    (path,) = folder.glob("**/v001/manifest.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def fresh_cache(folder: Path, name: str) -> str:
    """The word for a cache that has the network of the first run and how fast it is, and nothing that a cell would find made."""
    cache = folder / f"cache-{name}"
    cache.mkdir()
    for kind in ("weights", "execution", "predictions", "content-digest"):
        if (folder / "cache" / kind).exists():
            (cache / kind).symlink_to(folder / "cache" / kind)
    return f"run.cache_root={cache}"


def efficiency(report: Report, repeats: int, samples: int, folder: Path) -> None:
    """Cells a second of one run on two workers, over those of two runs."""
    line = [*LINE, f"probe.samples={samples}"]
    warm = f"run.cache_root={folder / 'cache'}"
    manifest_of(start(folder / "warm", *line, warm, "run.workers=1"), folder / "warm")  # trains and tunes
    ratios, starting = [], []
    for number in range(repeats):
        own = [start(folder / f"own{number}-{side}", *line, fresh_cache(folder, f"{number}-{side}")) for side in (0, 1)]
        ended = [manifest_of(process, folder / f"own{number}-{side}") for side, process in enumerate(own)]
        alone = max(manifest["measuring_seconds"] for manifest in ended)
        words = [*line, fresh_cache(folder, f"{number}-shared"), "run.workers=2"]
        shared = manifest_of(start(folder / f"shared{number}", *words), folder / f"shared{number}")
        ratios.append(alone / (2 * shared["measuring_seconds"]))
        starting.append(shared["seconds"] - shared["measuring_seconds"])
    value, spread = statistics.median(ratios), max(ratios) - min(ratios)
    quantity = "cells a second, two workers over two runs"
    report.ratios.append(Ratio("isotropy, lenet", quantity, value, spread, f"at least {AIM}", value >= AIM))
    report.facts["seconds before and after measuring, two workers"] = round(statistics.median(starting), 2)


def growth(report: Report, folder: Path) -> None:
    """Milliseconds a unit, memory and files of runs of 1,000 and 10,000 units that do nothing."""
    rows = []
    for count in (1_000, 10_000):
        place = folder / f"many{count}"
        words = ["--plugin", str(MANY), "experiment=many_units", f"experiment.count={count}", "run.workers=2"]
        manifest = manifest_of(start(place, *words, f"run.cache_root={folder / 'cache'}"), place)
        rows.append(
            {
                "units": count, "ms a unit": 1000 * manifest["measuring_seconds"] / count,
                "runner, MB": manifest["workers"]["runner_memory_bytes"] / 1e6,
                "files of the run": sum(path.is_file() for path in place.rglob("*")),
            }
        )  # fmt: skip
    report.tables["One runner, two workers, units that do nothing"] = rows
    a_unit = rows[-1]["ms a unit"] / 1000
    report.facts["workers that one runner keeps busy at 1, 10 and 60 seconds a cell"] = ", ".join(
        f"{seconds / a_unit:,.0f}" for seconds in (1, 10, 60)
    )
