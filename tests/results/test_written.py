"""What --output may name: files, links to files, and devices, which stay what they are."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from advlab.errors import ConfigError
from advlab.results.written import write_text
from advlab.store.atomic import StorageError


def test_a_file_is_replaced_and_a_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "real.md", tmp_path / "link.md"
    link.symlink_to(target)
    for text in ("one\n", "zwei ü\n"):
        write_text(link, text)
        assert target.read_text(encoding="utf-8") == text
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    """A file that takes its place by a rename would end what another program reads, and /dev/null of the whole machine."""
    pipe, heard = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_text(pipe, "text\n")
    reader.join(20)
    assert heard == [b"text\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root could put a file in the device's place")
def test_a_full_device_is_said() -> None:
    with pytest.raises(StorageError, match="--output /dev/full: it could not be written"):
        write_text(Path("/dev/full"), "text\n")


def test_names_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for name in ("", "..", str(tmp_path)):
        with pytest.raises(ConfigError, match="names no file"):
            write_text(Path(name), "text")
    for path in (tmp_path / ("a" * 300), tmp_path / "round"):
        with pytest.raises(StorageError, match="could not be written"):
            write_text(path, "text")
