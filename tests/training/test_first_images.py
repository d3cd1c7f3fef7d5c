"""The part of a dataset that networks of a seed are trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from advlab.data.images import ImageData, tensor_digest
from advlab.errors import ModelError
from advlab.probes.selection import order
from advlab.training.first_images import first_images, with_images

PIXELS = torch.arange(20 * 4, dtype=torch.uint8).view(20, 1, 2, 2)


def data() -> ImageData:
    labels = torch.arange(20) % 3
    return ImageData(
        name="made", split="train", classes=("a", "b", "c"), labels=labels, digest=tensor_digest(PIXELS, labels),
        shape=(1, 2, 2), pixels=PIXELS,
    )  # fmt: skip


def test_they_are_the_first_of_the_seeds_order_with_their_labels() -> None:
    known = data()
    few, more, other = (first_images(known, count, seed) for count, seed in ((5, 1), (9, 1), (5, 2)))
    chosen = np.asarray(order(known, 1)[:5])
    assert torch.equal(few.bytes(torch.arange(5)), PIXELS[chosen])
    assert few.labels.tolist() == (chosen % 3).tolist()
    assert torch.equal(more.bytes(torch.arange(5)), few.bytes(torch.arange(5)))
    assert len({few.digest, more.digest, other.digest, known.digest}) == 4
    assert few.digest == first_images(known, 5, 1).digest


@pytest.mark.parametrize("count", [0, 20, 21])
def test_all_are_the_dataset_itself(count: int) -> None:
    known = data()
    assert first_images(known, count, 3) is known


def test_other_images_have_another_digest() -> None:
    known = data()
    floats = PIXELS.float() / 255
    made = with_images(known, floats, known.labels)
    assert made.digest == tensor_digest(floats, known.labels) != known.digest
    assert (made.name, made.split, made.classes) == (known.name, known.split, known.classes)


def test_images_of_files_are_refused() -> None:
    streamed: Any = replace(data())
    object.__setattr__(streamed, "pixels", object())
    with pytest.raises(ModelError, match=r"made is read from files, .* in memory: type run.image_memory=N"):
        first_images(streamed, 5, 0)
