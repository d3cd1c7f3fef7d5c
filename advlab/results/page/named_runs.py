"""Where the runs lie that a command line names: runs, folders of runs, and sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advlab.errors import printable
from advlab.store.bounded import read_json

LONGEST_PATH = 4096
OUTCOMES = "outcome-*.json"  # what each job of a sweep writes about its run


def folders_of(places: Sequence[Path], remarks: list[str]) -> list[Path]:
    """Folders in which runs are looked for: the places themselves, of a sweep the runs that it has made.

    Args:
        places: runs, folders, and sweeps (`outputs/.sweeps/<time>`).
        remarks: are added to, a line for each run of a sweep that is not there.
    """
    folders: list[Path] = []
    for place in places:
        outcomes = sorted(place.glob(OUTCOMES), key=lambda path: (len(path.name), path.name)) if place.is_dir() else []
        folders += [run for path in outcomes if (run := run_of(path, remarks)) is not None] if outcomes else [place]
    return folders


def run_of(outcome: Path, remarks: list[str]) -> Path | None:
    """The run of a sweep's job, below the folder in which the sweep and its runs lie; None where it is not there.

    The folder may have been moved since, and the sweep may be a stranger's: nothing outside is looked at.
    """
    try:
        said = read_json(outcome)
    except (OSError, ValueError) as error:
        remarks.append(f"skipped {outcome}: it could not be read ({error})")
        return None
    detail, status = (said.get(key) for key in ("detail", "status")) if isinstance(said, dict) else (None, None)
    if status in ("failed", "interrupted") or not isinstance(detail, str):
        remarks.append(f"skipped {outcome}: its job is {printable(str(status))[:40]}")
        return None
    above, parts = outcome.resolve().parents, Path(detail).parts
    root = above[min(2, len(above) - 1)]
    for first in range(len(parts)) if "\0" not in detail and len(detail) < LONGEST_PATH else ():
        path = root.joinpath(*parts[first:])
        if path.is_dir() and path.resolve() != root and path.resolve().is_relative_to(root):
            return path
    remarks.append(f"skipped {outcome}: its run {printable(detail)[:200]} is not below {root}: name its folder")
    return None
