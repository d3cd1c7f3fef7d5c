"""scikit-learn's embedded digits, which need no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from advlab.data.content import Arrays, Shape
from advlab.data.source import LoadOptions, Source


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """scikit-learn's embedded 8x8 digits, resized bilinearly; 1437 train and 360 test images, shuffled with seed 0."""

    native: ClassVar[Shape | None] = (1, 28, 28)
    class_count: ClassVar[int] = 10

    def read(self, split: str, name: str, options: LoadOptions) -> Arrays:
        """See `Source.read`."""
        from sklearn.datasets import load_digits  # takes a second to import, which describing must not wait for

        bunch = load_digits()
        order = np.random.default_rng(0).permutation(len(bunch.target))
        cut = len(order) * 4 // 5
        chosen = order[:cut] if split == "train" else order[cut:]
        pixels = np.rint(bunch.images[chosen] * (255 / 16)).astype(np.uint8)
        return Arrays(
            [str(digit) for digit in range(10)], pixels, bunch.target[chosen], self.shape(options.model_shape)
        )
