"""What is removed of runs that ended long ago, and what stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

from advlab.engine.workers.handover import FOLDER, handed_over
from advlab.engine.workers.leftovers import remove_old


def test_files_of_a_month_ago_are_removed(tmp_path: Path) -> None:
    for name, days in {"old.out": 31, "new.out": 29}.items():
        (tmp_path / name).write_text("")
        then = time.time() - days * 86_400
        os.utime(tmp_path / name, (then, then))
    remove_old(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.out"]
    remove_old(tmp_path / "none")


def test_what_a_killed_runner_left_in_the_cache_is_removed_by_a_later_one(tmp_path: Path) -> None:
    with handed_over({}, {}, tmp_path, None, mixed=False):
        left = tmp_path / FOLDER / "left.json"
        left.write_text("{}")
        with handed_over({}, {}, tmp_path, None, mixed=False):
            assert left.exists()
        os.utime(left, (0, 0))
        with handed_over({}, {}, tmp_path, None, mixed=False):
            assert len(list(left.parent.iterdir())) == 2
            assert not left.exists()
