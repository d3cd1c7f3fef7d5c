"""Random images as a dataset, for tests that need pixels and no meaning."""

from __future__ import annotations

import torch

from advlab.data.images import ImageData, tensor_digest


def random_images(count: int, shape: tuple[int, int, int]) -> ImageData:
    """`count` images of random bytes, the same at every call, all of class 0 of two."""
    pixels = torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.zeros(count, dtype=torch.int64)
    return ImageData("toy", "test", ("a", "b"), labels, shape, tensor_digest(pixels), pixels)
