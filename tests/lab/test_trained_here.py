"""What experiments that train their networks ask of each of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from advlab import testing
from advlab.lab.trained_here import IMAGES_AT_ONCE, count_correct


class Brightest(nn.Module):
    """The class is the brightest of three pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :3]


@pytest.mark.parametrize("batch_size", [7, 256])
def test_correct_images_are_counted_over_all_batches(batch_size: int) -> None:
    count = IMAGES_AT_ONCE + 37
    images = torch.randint(0, 256, (count, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 3
    ctx: Any = testing.context("isotropy", Brightest(), images, labels, samples=[0], batch_size=batch_size)
    expected = (images.flatten(1)[:, :3].int().numpy().argmax(1) == labels.numpy()).astype(int)
    assert count_correct(ctx, ctx.forward, list(range(count))) == expected.sum()
    some = [3, 500, 536, 1]
    assert count_correct(ctx, ctx.forward, some) == expected[some].sum()
    assert count_correct(ctx, ctx.forward, []) == 0
