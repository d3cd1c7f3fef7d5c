"""Linear filters along rows and columns, as a matrix for each: Gaussian blur, and resampling down and up.

A product with a matrix has a deterministic gradient on every device; those of padding and of bicubic interpolation have none
on CUDA.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform
from advlab.errors import ArgumentError

REACH = 4.0  # the Gaussian filter ends at so many standard deviations, as scipy's


class GaussianBlur(ImageTransform):
    """Gaussian blur with `sigma` in pixels."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        height, width = x.shape[2:]
        return along_both_axes(x, blur_matrix(height, self.sigma), blur_matrix(width, self.sigma))


class DownAndUp(ImageTransform):
    """Bicubic resampling to `size` pixels along the shorter side (0: half) and back."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`.

        Raises:
            ArgumentError: the images are smaller than `size`.
        """
        height, width = x.shape[2:]
        shorter = min(height, width)
        size = self.size or (shorter + 1) // 2
        if size > shorter:
            raise ArgumentError(
                f"resample: size={size} is larger than the images, {height} x {width}: take at most {shorter}"
            )
        small_height, small_width = (round(side * size / shorter) for side in (height, width))
        return along_both_axes(x, resampling_matrix(height, small_height), resampling_matrix(width, small_width))


def along_both_axes(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(n, C, H, W) rows x columns^T for each channel; `rows` (H, H) and `columns` (W, W) are float64 on the CPU."""
    return placed(rows, x.device, x.dtype) @ x @ placed(columns, x.device, x.dtype).mT


@functools.lru_cache(maxsize=64)
def placed(matrix: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A matrix on a device in a precision; kept, since an attack asks for it at every step."""
    with torch.inference_mode(False):  # it serves gradients later
        return matrix.to(device=device, dtype=dtype)


@functools.lru_cache(maxsize=64)
def blur_matrix(length: int, sigma: float) -> Tensor:
    """(length, length) float64: a Gaussian filter of a signal whose ends continue with their values.

    >>> torch.round(blur_matrix(3, 1.0), decimals=2)[0].tolist()
    [0.7, 0.24, 0.06]
    """
    with torch.inference_mode(False):
        reach = int(REACH * sigma + 0.5)
        offsets = torch.arange(-reach, reach + 1)
        weights = torch.exp(-0.5 * (offsets.double() / sigma).square())
        weights /= weights.sum()
        pixel = torch.arange(length)[:, None]
        neighbours = (pixel + offsets).clamp(0, length - 1)
        matrix = torch.zeros(length, length, dtype=torch.float64)
        return matrix.scatter_add_(1, neighbours, weights.expand(length, -1))


@functools.lru_cache(maxsize=64)
def resampling_matrix(length: int, shorter: int) -> Tensor:
    """(length, length) float64: antialiased bicubic interpolation of a signal to `shorter` values and back to `length`.

    >>> bool((resampling_matrix(5, 5) == torch.eye(5, dtype=torch.float64)).all())
    True
    """
    with torch.inference_mode(False):
        impulses = torch.eye(length, dtype=torch.float64)
        return bicubic(bicubic(impulses, shorter), length)


def bicubic(columns: Tensor, length: int) -> Tensor:
    """(length, n): the columns of (m, n), interpolated along their own axis alone, antialiased."""
    size = (length, columns.shape[1])
    return torch.nn.functional.interpolate(columns[None, None], size, mode="bicubic", antialias=True)[0, 0]
