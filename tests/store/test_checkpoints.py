"""Checkpoints on disk: the newest two are kept, leftovers are cleared, and a full disk leaves what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.store.atomic import StorageError
from advlab.store.checkpoints import CheckpointFolder


def test_two_are_kept_and_leftovers_are_cleared(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "here", {"key": 1})
    assert folder.newest() == 0
    (tmp_path / "here" / ".making-dead").mkdir(parents=True)
    for step in (3, 20, 100):
        folder.write(step, {}, {"of": step})
    assert sorted(path.name for path in folder.folder.iterdir()) == ["step-000000000020", "step-000000000100"]
    taken = []
    assert folder.restore(lambda step, arrays, state: taken.append((step, state)), 1 << 20) == folder.newest() == 100
    assert taken == [(100, {"of": 100})]
    folder.delete()
    assert not folder.folder.exists()


def test_no_room_leaves_the_checkpoints_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = CheckpointFolder(tmp_path, {"key": 1})
    folder.write(5, {}, {})
    monkeypatch.setattr("advlab.store.checkpoints.save_file", full)
    with pytest.raises(StorageError, match="No space left"):
        folder.write(6, {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000005"]
