"""The run of the toy network that is killed, raced and damaged; its files, and what must hold of them at the end."""

from __future__ import annotations

from pathlib import Path

from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended

# nothing is kept: each run is to measure for itself
RUN = [
    "model=toy", "probe.radii=[0.1,1,10]", "probe.trials=20", "probe.samples=25", "probe.confidence=0",
    "probe.keep=false", "run.batch_size=60", "run.device=cpu",
]  # fmt: skip
FAMILY = "isotropy/toy_data-toy"


def version(root: Path, number: int = 1) -> RunDirectory:
    """The run directory of a number below an output root."""
    return RunDirectory(root / FAMILY / f"v{number:03d}")


def cells(run: RunDirectory) -> list[Path]:
    """The files of the cells that are measured."""
    return sorted((run.path / "cells").glob("*.csv"))


def snapshot(run: RunDirectory) -> dict[str, tuple[int, int, bytes]]:
    """Time, inode and content of each file: equal only if nobody wrote it again."""
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        str(p.relative_to(run.path)): (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in sorted(files)
    }


def clean(text: str) -> None:
    """Assert that nothing was printed that a user should not see."""
    assert "Traceback" not in text, text
    assert "Logging error" not in text, text
    assert "\r" not in text


def complete(ended: Ended, run: RunDirectory, table: bytes) -> None:
    """Assert that a run ended well and left what an uninterrupted one leaves."""
    assert ended.code == 0, ended.err
    clean(ended.out + ended.err)
    assert run.table_path.read_bytes() == table
    assert run.finished()
    assert run.damaged() == []
    assert list(run.path.rglob("*.tmp")) == []


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 2
    path.write_bytes(data)
