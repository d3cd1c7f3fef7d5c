"""The folders that the user has typed as cache or data root: those that a run directory may name, and be written to again.

A run directory may be a stranger's. That its configuration says where the cache is gives it no right to write there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

FILE = "typed-folders.txt"  # in the user's own cache, a path a line


def remember_folders(cache: Path, folders: Iterable[Path]) -> None:
    """Note that the user has typed some folders; a cache that cannot be written remembers nothing, which is no error.

    Args:
        cache: the user's own, which the environment names.
        folders: as they were typed.
    """
    with contextlib.suppress(OSError, ValueError):
        known = remembered(cache)
        new = [path for path in map(os.path.realpath, folders) if path not in known and "\n" not in path]
        if new:
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / FILE).open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.writelines(f"{path}\n" for path in new)


def is_remembered(cache: Path, folder: Path | None) -> bool:
    """Whether the user has typed a folder before."""
    try:
        return folder is not None and os.path.realpath(folder) in remembered(cache)
    except (OSError, ValueError):
        return False


def remembered(cache: Path) -> set[str]:
    """The folders that are noted."""
    try:
        return set((cache / FILE).read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    except FileNotFoundError:
        return set()
