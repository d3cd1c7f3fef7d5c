"""The digits that the package holds, which need no download: `digits.csv.gz`, its source and licence beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from advlab.data.content import Arrays, Shape
from advlab.data.source import LoadOptions, Source

#: one image a line: 64 grey levels from 0 to 16, row by row, then the digit (UCI's test set, as scikit-learn ships it)
FILE = Path(__file__).with_name("digits.csv.gz")


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """scikit-learn's 8x8 digits, resized bilinearly; 1437 train and 360 test images, shuffled with seed 0."""

    native: ClassVar[Shape | None] = (1, 28, 28)
    class_count: ClassVar[int] = 10

    def read(self, split: str, name: str, options: LoadOptions) -> Arrays:
        """See `Source.read`."""
        table = np.loadtxt(FILE, delimiter=",", dtype=np.int64)
        images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
        order = np.random.default_rng(0).permutation(len(labels))
        cut = len(order) * 4 // 5
        chosen = order[:cut] if split == "train" else order[cut:]
        pixels = np.rint(images[chosen] * (255 / 16)).astype(np.uint8)
        return Arrays([str(digit) for digit in range(10)], pixels, labels[chosen], self.shape(options.model_shape))
