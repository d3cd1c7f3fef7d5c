"""A training that is ended at any moment goes on to the same bytes; damaged and hostile checkpoints are set aside."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from advlab.store.atomic import StorageError
from advlab.store.sealed import sha256_file, write_sealed
from advlab.training.epochs import TrainingLog
from advlab.training.loop import OnStep, train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints
from tests.helpers.frequent_checkpoints import Death, FrequentCheckpoints, dying_at

BASE = Recipe(name="test", epochs=5, batch_size=16, lr=0.05)  # of 70 images: 5 epochs of 4 steps
RECIPES = {
    "warmup": replace(BASE, warmup=0.4, weight_decay=5e-4, nesterov=True, augment=["crop:1", "flip"], bias_lr=2.0),
    "cosine": replace(BASE, schedule="cosine", optimizer="adam", lr=1e-3, label_smoothing=0.1),
    "pgd": replace(BASE, optimizer="adam", lr=1e-3, augment=["crop:1", "pgd_linf:0.1,0.05,2"], epsilon_warmup=0.5),
    "hard": replace(BASE, optimizer="adamw", lr=1e-3, augment=["hard:2,0.2"], precision="bf16", weight_decay=0.05),
    "plain": replace(BASE, momentum=0.0, schedule="inv", augment=["hard_noise:1,0.3"], epochs=0, max_steps=19),
}


def training(recipe: Recipe, checkpoints: TrainingCheckpoints | None, on_step: OnStep | None = None) -> Any:
    """Weights and buffers as bytes, and the log, of a network with batch norm and dropout."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (70,), generator=generator)
    noise = torch.randint(0, 60, (70, 1, 8, 8), generator=generator)
    images = (noise + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(80, 3)
    )  # fmt: skip
    zero, one = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    log = train(
        network,
        images,
        labels,
        recipe,
        mean=zero,
        std=one,
        device="cpu",
        seed=3,
        on_step=on_step,
        checkpoints=checkpoints,
    )
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}, log


def told(log: TrainingLog) -> list[Any]:
    return [(epoch.epoch, epoch.lr, epoch.loss, epoch.accuracy) for epoch in log.epochs]


@pytest.mark.parametrize("name", RECIPES)
def test_ten_random_deaths_leave_the_same_bytes(name: str, tmp_path: Path) -> None:
    wanted, wanted_log = training(RECIPES[name], None)
    draws = random.Random(name)
    for every in (1, 3):
        resumed = []
        for moment in sorted(draws.sample(range(1, wanted_log.steps + 1), 5)):
            checkpoints = FrequentCheckpoints(tmp_path / str(every), every)
            with pytest.raises(Death):
                training(RECIPES[name], checkpoints, dying_at(moment))
            resumed.append(checkpoints.resumed_at)
            torch.rand(3)  # the global random state must not matter
        checkpoints = FrequentCheckpoints(tmp_path / str(every), every)
        found, log = training(RECIPES[name], checkpoints)
        assert checkpoints.resumed_at >= max(resumed) > 0
        assert found == wanted
        assert told(log) == told(wanted_log)
        assert log.seconds > 0
        assert len(list((tmp_path / str(every)).iterdir())) == 2


@pytest.mark.parametrize("moment", range(1, 20, 2))
def test_any_moment_of_one_death(moment: int, tmp_path: Path) -> None:
    wanted, _ = training(RECIPES["pgd"], None)
    with pytest.raises(Death):
        training(RECIPES["pgd"], FrequentCheckpoints(tmp_path, 1), dying_at(moment))
    steps: list[int] = []
    found, _ = training(RECIPES["pgd"], FrequentCheckpoints(tmp_path, 1), lambda done, *_: steps.append(done))
    assert found == wanted
    assert steps == list(range(max(1, moment), 21))  # the step of the death is made again, those before it are not


def test_a_short_training_writes_nothing(tmp_path: Path) -> None:
    checkpoints = FrequentCheckpoints(tmp_path / "none", 10**6)
    wanted, _ = training(BASE, None)
    assert training(BASE, checkpoints)[0] == wanted
    assert not (tmp_path / "none").exists()


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
    DAMAGES[damage](tmp_path / "step-000000000008")
    checkpoints = FrequentCheckpoints(tmp_path, 100)
    assert training(RECIPES["warmup"], checkpoints)[0] == wanted
    assert checkpoints.resumed_at == 0


def test_without_room_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr("advlab.store.checkpoints.CheckpointFolder.write", full)
    wanted, _ = training(BASE, None)
    assert training(BASE, FrequentCheckpoints(tmp_path, 5))[0] == wanted
    assert "training goes on without: no space left" in caplog.text


def test_other_threads_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Death):
        training(BASE, FrequentCheckpoints(tmp_path, 2), dying_at(5))
    rewrite(tmp_path / "step-000000000004", lambda a, c: c["state"].update(threads=99))
    checkpoints = FrequentCheckpoints(tmp_path, 100)
    training(BASE, checkpoints)
    assert checkpoints.resumed_at == 4
    assert "training began with threads=99" in caplog.text
