"""scikit-learn's embedded digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from advlab.data.source import LoadOptions, Shape, Source

if TYPE_CHECKING:
    from advlab.data.images import ImageData


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """scikit-learn's embedded 8x8 digits, resized bilinearly; 1437 train and 360 test images, shuffled with seed 0."""

    native: ClassVar[Shape | None] = (1, 28, 28)
    class_count: ClassVar[int] = 10

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """See `Source.load`."""
        import numpy as np
        from sklearn.datasets import load_digits

        bunch = load_digits()
        order = np.random.default_rng(0).permutation(len(bunch.target))
        cut = len(order) * 4 // 5
        chosen = order[:cut] if split == "train" else order[cut:]
        pixels = np.rint(bunch.images[chosen] * (255 / 16)).astype(np.uint8)
        return self.image_data(name, split, map(str, range(10)), pixels, bunch.target[chosen], options)
