"""Checkpoints that are damaged, or that a stranger has written and sealed, are set aside, and the one before is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from advlab.store.sealed import sha256_file, write_sealed
from tests.helpers.frequent_checkpoints import FrequentCheckpoints
from tests.helpers.interrupted_training import BASE, RECIPES, Death, dying_at, training


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change a checkpoint and seal it anew, as a stranger can."""
    arrays, content = dict(load_file(path / "arrays.safetensors")), json.loads((path / "state.json").read_bytes())
    change(arrays, content)
    save_file(arrays, path / "arrays.safetensors")
    content.pop("seal")
    write_sealed(path / "state.json", {**content, "sha256": sha256_file(path / "arrays.safetensors")})


def flip_a_byte(path: Path) -> None:
    data = bytearray((path / "arrays.safetensors").read_bytes())
    data[-3] ^= 1
    (path / "arrays.safetensors").write_bytes(data)


def make_huge(path: Path) -> None:
    with (path / "arrays.safetensors").open("r+b") as file:
        file.truncate(1 << 40)  # a sparse file


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "flipped": flip_a_byte,
    "cut": lambda path: (path / "state.json").write_text("{", encoding="utf-8"),
    "missing": lambda path: (path / "arrays.safetensors").unlink(),
    "huge": make_huge,
    "shape": lambda path: rewrite(path, lambda a, c: a.update({"network.6.bias": np.zeros(4, np.float32)})),
    "type": lambda path: rewrite(path, lambda a, c: a.update({"network.6.bias": np.zeros(3, np.float64)})),
    "nan": lambda path: rewrite(path, lambda a, c: a.update({"network.6.bias": np.full(3, np.nan, np.float32)})),
    "more": lambda path: rewrite(path, lambda a, c: a.update({"optimizer.0.other": np.zeros(3, np.float32)})),
    "less": lambda path: rewrite(path, lambda a, c: a.pop("random.generator")),
    "random": lambda path: rewrite(path, lambda a, c: a.update({"random.cpu": np.full_like(a["random.cpu"], 255)})),
    "key": lambda path: rewrite(path, lambda a, c: c.update(key={"key": "another"})),
    "step": lambda path: rewrite(path, lambda a, c: c.update(step=9)),
    "epochs": lambda path: rewrite(path, lambda a, c: c["state"].update(epochs=[{"epoch": "1"}])),
    "meter": lambda path: rewrite(path, lambda a, c: c["state"]["meter"].update(steps=-1)),
    "precision": lambda path: rewrite(path, lambda a, c: c["state"].update(precision="bf16")),
    "total": lambda path: rewrite(path, lambda a, c: c["state"].update(total_steps=7)),
    "seconds": lambda path: rewrite(path, lambda a, c: c["state"].update(seconds="1")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_checkpoint_the_one_before_is_taken(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted, _ = training(RECIPES["warmup"], None)
    with pytest.raises(Death):
        training(RECIPES["warmup"], FrequentCheckpoints(tmp_path, 2), dying_at(11))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000000008", "step-000000000010"]
    DAMAGES[damage](tmp_path / "step-000000000010")
    checkpoints = FrequentCheckpoints(tmp_path, 100)
    found, _ = training(RECIPES["warmup"], checkpoints)
    assert checkpoints.resumed_at == 8
    assert found == wanted
    assert "step-000000000010 is damaged" in caplog.text
    assert (tmp_path / "step-000000000010.quarantined-1").is_dir()
    for path in (tmp_path / "step-000000000008",):
        DAMAGES[damage](path)
    checkpoints = FrequentCheckpoints(tmp_path, 100)
    assert training(RECIPES["warmup"], checkpoints)[0] == wanted
    assert checkpoints.resumed_at == 0


def test_other_threads_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Death):
        training(BASE, FrequentCheckpoints(tmp_path, 2), dying_at(5))
    rewrite(tmp_path / "step-000000000004", lambda a, c: c["state"].update(threads=99))
    checkpoints = FrequentCheckpoints(tmp_path, 100)
    training(BASE, checkpoints)
    assert checkpoints.resumed_at == 4
    assert "training began with threads=99" in caplog.text
