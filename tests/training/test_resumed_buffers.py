"""A training goes on with buffers that the state dict leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from advlab.training.loop import train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints
from tests.helpers.frequent_checkpoints import Death, FrequentCheckpoints, dying_at


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
            return torch.mul(self.linear(x.flatten(1)), 1 + self.calls)

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
