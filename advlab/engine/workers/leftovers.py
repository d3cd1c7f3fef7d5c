"""Files that nobody needs any more, of runs that ended long ago."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

DAYS_KEPT = 30


def remove_old(folder: Path) -> None:
    """Remove the files of a folder that were written more than `DAYS_KEPT` days ago."""
    oldest = time.time() - DAYS_KEPT * 86_400
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):  # another run removes them, too
            if path.lstat().st_mtime < oldest:
                path.unlink()
