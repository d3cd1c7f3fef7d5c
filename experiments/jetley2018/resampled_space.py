"""Images and perturbations at a lower size, where singular vectors of large images are taken (figure 4's caption)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.defenses.transforms.separable import bicubic_matrix, placed
from advlab.errors import ArgumentError


class ResampledSpace:
    """The space of images (C, h, w) to which (C, H, W) images are resampled, bicubic and antialiased as `defense=resample`.

    Args:
        shape: (C, H, W).
        size: of the smaller images' shorter side, in pixels; the longer side shrinks by the same ratio. 0: H x W, nothing is
            resampled then.

    Attributes:
        shape: (C, H, W).
        dimensions: C h w.

    Raises:
        ArgumentError: the images are smaller than that.
    """

    def __init__(self, shape: tuple[int, int, int], size: int) -> None:
        self.shape = shape
        channels, height, width = shape
        shorter = min(height, width)
        if size > shorter:
            raise ArgumentError(
                f"resampled_to={size} is larger than the images, {height} x {width}: type experiment.resampled_to={shorter}, "
                "or less"
            )
        self._is_own = size in (0, shorter)
        small = [round(side * size / shorter) if size else side for side in (height, width)]
        self._small, self.dimensions = (channels, *small), channels * small[0] * small[1]
        with torch.inference_mode(False):  # they serve gradients later
            sides = list(zip((height, width), small, strict=True))
            self._down = [bicubic_matrix(side, less) for side, less in sides]
            self._up = [bicubic_matrix(less, side) for side, less in sides]

    def coordinates(self, x: Tensor) -> Tensor:
        """(n, D) the values of (n, C, H, W) images or perturbations, resampled to the smaller size."""
        return (x if self._is_own else resampled(x, self._down)).flatten(1)

    def images(self, coordinates: Tensor) -> Tensor:
        """(n, C, H, W) images or perturbations of the values (n, D), resampled to the images' own size."""
        x = coordinates.view(-1, *self._small)
        return x if self._is_own else resampled(x, self._up)


def resampled(x: Tensor, matrices: list[Tensor]) -> Tensor:
    """(n, C, H, W) images to (n, C, h, w), by the matrices (h, H) of the columns' values and (w, W) of the rows'."""
    of_columns, of_rows = (placed(matrix, x.device, x.dtype) for matrix in matrices)
    return of_columns @ x @ of_rows.mT
