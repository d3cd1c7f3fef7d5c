"""A training that is ended at any moment goes on to the same bytes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.store.atomic import StorageError
from advlab.training.epochs import TrainingLog
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints
from tests.helpers.frequent_checkpoints import FrequentCheckpoints
from tests.helpers.interrupted_training import BASE, RECIPES, Death, dying_at, training
from tests.helpers.long_cases import one_in


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


@pytest.mark.parametrize("moment", one_in(3, range(1, 20, 2)))
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


def test_without_room_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr("advlab.store.checkpoints.CheckpointFolder.write", full)
    wanted, _ = training(BASE, None)
    assert training(BASE, FrequentCheckpoints(tmp_path, 5))[0] == wanted
    assert "training goes on without: no space left" in caplog.text


def test_buffers_outside_of_the_state_dict_are_kept(tmp_path: Path) -> None:
    class Counting(nn.Module):
        calls: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)
            self.register_buffer("calls", torch.zeros(()), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.calls += 1
            scaled: Tensor = self.linear(x.flatten(1)) * (1 + self.calls)
            return scaled

    def weights(checkpoints: TrainingCheckpoints | None, moment: int = 0) -> Tensor:
        torch.manual_seed(0)
        network, images = Counting(), torch.arange(32, dtype=torch.uint8).view(8, 1, 2, 2)
        recipe = Recipe(name="t", max_steps=8, batch_size=4)
        train(
            network, images, torch.arange(8) % 2, recipe, mean=torch.zeros(1, 1, 1), std=torch.ones(1, 1, 1), device="cpu",
            seed=0, on_step=dying_at(moment), checkpoints=checkpoints,
        )  # fmt: skip
        return network.linear.weight.detach()

    with pytest.raises(Death):
        weights(FrequentCheckpoints(tmp_path, 1), 5)
    assert torch.equal(weights(FrequentCheckpoints(tmp_path, 1)), weights(None))
