"""Images and labels that belong together, on any device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from advlab.data.images import ImageData
from advlab.errors import DataError


def tiny(**changes: Any) -> ImageData:
    pixels = torch.zeros((3, 1, 2, 2), dtype=torch.uint8)
    return replace(
        ImageData("toy", "test", ("a", "b"), torch.tensor([0, 1, 1]), (1, 2, 2), "digest", pixels), **changes
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": torch.tensor([0, 1])}, "3 images but 2 labels"),
        ({"labels": torch.tensor([0, 1, 2])}, "outside of the 2 classes"),
        ({"labels": torch.tensor([0, -1, 1])}, "outside of the 2 classes"),
        ({"pixels": torch.zeros(3, 1, 2, 2, dtype=torch.float64)}, "must be uint8"),
        ({"pixels": torch.zeros((3, 3, 2, 2), dtype=torch.uint8)}, r"must be uint8 of shape \(N, 1, 2, 2\)"),
        ({"pixels": torch.zeros((0, 1, 2, 2), dtype=torch.uint8), "labels": torch.zeros(0)}, "holds no images"),
    ],
)
def test_parts_that_do_not_belong_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tiny(**changes)


def test_moving_to_a_device_keeps_the_content() -> None:
    data = tiny()
    moved = data.to(torch.device("cpu"))
    assert torch.equal(moved.bytes(torch.arange(3)), data.bytes(torch.arange(3)))
    assert moved.digest == data.digest
