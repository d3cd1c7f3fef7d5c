"""Runs a command line in an empty folder and keeps what a user sees of it, without what differs from run to run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: facts of manifest.json and plan.json that tell of the moment, the machine or the installation
PASSING = {
    "seconds",
    "measuring_seconds",
    "peak_memory_bytes",
    "versions",
    "git",
    "files",
    "seal",
    "device_name",
    "command",
    "job",
}
#: what is printed of durations and speeds, and its substitute
TIMES = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"(?m)^.*: [\d,]+ of [\d,]+ \(\d+ %\).*\n", ""),  # progress of what takes long
    (r"\bin \d+ s\b", "in N s"),
    (r"about [\d.]+ (s|min|h) \([\d,]+ images/s", "about TIME (SPEED images/s"),
    (r"seconds_per_image +\S+", "seconds_per_image N"),
)


class Runs:
    """Runs command lines with one artifact cache, so that a network is trained once.

    Args:
        folder: of the snapshot; each line's files are kept in a folder of its name.
        cache: of the artifacts.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        data = Path(os.environ.get("ADVLAB_DATA", "~/.cache/advlab/data")).expanduser().absolute()
        self.environment = {
            **os.environ, "ADVLAB_CACHE": str(cache.absolute()), "ADVLAB_DATA": str(data), "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }  # fmt: skip
        self.environment.pop("ADVLAB_PLUGINS", None)
        self.places = {str(cache.absolute()): "CACHE", str(data): "DATA", sys.prefix: "ENVIRONMENT"}

    def keep(self, name: str, line: Sequence[str]) -> int:
        """Run `advlab` with the arguments of a line and keep its exit code, prints and files; returns the exit code."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as place:
            cwd = Path(place).resolve()
            done = subprocess.run(
                [sys.executable, "-m", "advlab", *line], cwd=cwd, capture_output=True, text=True, env=self.environment, check=False,
            )  # fmt: skip
            places = {str(cwd): "FOLDER", **self.places}
            for kind, text in (("exit", f"{done.returncode}\n"), ("out.txt", done.stdout), ("err.txt", done.stderr)):
                (target / kind).write_text(lasting_text(text, places), encoding="utf-8")
            for path in sorted(cwd.glob("outputs/**/*")):
                if path.is_file() and ".sweeps" not in path.parts:
                    keep_file(path, target / path.relative_to(cwd), places)
        return done.returncode


def keep_file(path: Path, target: Path, places: dict[str, str]) -> None:
    """Keep a file of a run: tables and configurations as they are, plans and manifests without what passes, of a PNG its digest.

    Logs, locks, seals and PDF files, which hold times, are left out.
    """
    if path.suffix in (".csv", ".yaml"):
        content = lasting_text(path.read_text(encoding="utf-8"), places, times=False)
    elif path.name in ("manifest.json", "plan.json"):
        facts = lasting_facts(json.loads(path.read_text(encoding="utf-8")))
        content = lasting_text(json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n", places)
    elif path.suffix == ".png":
        target = target.with_name(f"{target.name}.sha256")
        content = hashlib.sha256(path.read_bytes()).hexdigest() + "\n"
    else:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, encoding="utf-8", newline="")


def lasting_text(text: str, places: dict[str, str], *, times: bool = True) -> str:
    """A text with names for this run's folders and, with `times`, without durations and speeds."""
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, places[place])
    for pattern, substitute in TIMES if times else ():
        text = re.sub(pattern, substitute, text)
    return text


def lasting_facts(value: Any) -> Any:
    """Facts, however nested, without those that differ from run to run."""
    if isinstance(value, dict):
        return {key: lasting_facts(inner) for key, inner in value.items() if key not in PASSING}
    return [lasting_facts(inner) for inner in value] if isinstance(value, list) else value
