"""Disks that are full or read-only: one message, and the run goes on once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advlab.store.run_directory import RunDirectory
from tests.helpers.long_cases import one_in
from tests.helpers.run_files import FAMILY, RUN, cells, clean, complete, snapshot, version
from tests.helpers.run_workshop import Workshop


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system, and mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        options = f"remount,{options}" if mounted else options
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("a small file system can be mounted by root only")
        mounted = True
        return folder

    try:
        yield mount
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_and_room_made(workshop: Workshop, table: bytes, disk: Callable[[str], Path]) -> None:
    root = disk("size=80k")
    ended = workshop.run(*RUN, root=root)
    assert ended.code == 1
    clean(ended.err)
    assert "No space left on device" in ended.err.splitlines()[-1]
    assert "run.resume=true" in ended.err.splitlines()[-1]
    run = version(root)
    assert not run.finished()
    assert 3 < len(cells(run)) < 25
    before = snapshot(run)
    again = workshop.run(*RUN, "run.resume=true", root=root)  # still full
    assert again.code == 1
    clean(again.err)
    disk("size=10m")
    complete(workshop.run(*RUN, "run.resume=true", root=root), run, table)
    assert all(snapshot(run)[name] == entry for name, entry in before.items() if name.startswith("cells/"))


@pytest.mark.parametrize("writes", one_in(2, [1, 2, 4, 28, 29, 30, 31]))
def test_a_disk_that_fills_at_each_stage(writes: int, workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """Configuration, plan, cells, table, claims, figures and manifest: no disk is needed to refuse a write."""
    before = f"""
import errno
from pathlib import Path
replace, left = Path.replace, [{writes}]
def full(self, target):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    return replace(self, target)
Path.replace = full
"""
    ended = workshop.run(*RUN, root=tmp_path, before=before)
    assert ended.code == 1, ended.err
    clean(ended.err)
    assert "No space left on device" in ended.err.splitlines()[-1]
    assert not version(tmp_path).finished()
    ended = workshop.run(*RUN, "run.resume=true", root=tmp_path)
    complete(ended, RunDirectory.versions(tmp_path / FAMILY)[-1], table)


def test_a_read_only_output_root(workshop: Workshop, killed_run: RunDirectory, disk: Callable[[str], Path]) -> None:
    root = disk("size=10m")
    subprocess.run(["cp", "-r", str(killed_run.path.parent.parent), str(root)], check=True)
    disk("ro")
    for arguments in (RUN, [*RUN, "run.resume=true"]):
        ended = workshop.run(*arguments, root=root)
        assert ended.code == 1
        clean(ended.err)
        assert "Read-only file system" in ended.err.splitlines()[-1]
        assert "run.output_root=..." in ended.err.splitlines()[-1]
    assert not version(root).finished()
