"""Linear filters along rows and columns, as a matrix for each: Gaussian blur, and resampling down and up.

A product with a matrix has a deterministic gradient on every device; those of padding and of bicubic interpolation have none
on CUDA.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform, refuse_larger
from advlab.errors import ArgumentError

REACH = 4.0  # the Gaussian filter ends at so many standard deviations, as scipy's


class GaussianBlur(ImageTransform):
    """Gaussian blur with `sigma` in pixels."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        return gaussian_blur(x, self.sigma)


class DownAndUp(ImageTransform):
    """Bicubic resampling to `size` pixels along the shorter side (0: half) and back, of the deviation from `mean` if there is one.

    Args:
        size: in pixels; at the images' own size nothing is done.
        mean: (C, H, W) or (C, 1, 1).
    """

    mean: Tensor | None

    def __init__(self, size: int, mean: Tensor | None = None) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", mean)

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
        if size == shorter:
            return x
        small_height, small_width = (round(side * size / shorter) for side in (height, width))
        rows, columns = resampling_matrix(height, small_height), resampling_matrix(width, small_width)
        if self.mean is None:
            return along_both_axes(x, rows, columns)
        mean = self.mean.to(x.dtype)
        return mean + along_both_axes(x - mean, rows, columns)


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """(n, C, H, W) images blurred with `sigma` in pixels; the border's pixels continue beyond it.

    Raises:
        ArgumentError: sigma is longer than the images' shorter side.
    """
    height, width = x.shape[2:]
    refuse_larger("blur: sigma", sigma, x, min(height, width), "of which it leaves one colour")
    return along_both_axes(x, blur_matrix(height, sigma), blur_matrix(width, sigma))


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
        return bicubic_matrix(shorter, length) @ bicubic_matrix(length, shorter)


def bicubic_matrix(length: int, size: int) -> Tensor:
    """(size, length) float64: bicubic interpolation of a signal to `size` values, as MATLAB's imresize does it.

    The kernel is that of Keys 1981 with a = -0.5, stretched where the signal becomes shorter (antialiasing), its weights add
    up to 1, and the signal is mirrored at its ends. Away from them it is torch's `interpolate` with antialiasing, which cuts
    the kernel off there.

    >>> torch.round(bicubic_matrix(8, 4), decimals=3)[0].tolist()
    [0.547, 0.398, 0.102, -0.035, -0.012, 0.0, 0.0, 0.0]
    """
    stretch = max(1.0, length / size)
    centre = (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * length / size - 0.5
    reach = math.ceil(2 * stretch) + 1
    pixel = centre.floor() + torch.arange(-reach, reach + 1)
    weights = cubic((pixel - centre) / stretch)
    weights /= weights.sum(1, keepdim=True)
    place = pixel.long().remainder(2 * length)
    mirrored = torch.minimum(place, 2 * length - 1 - place)
    return torch.zeros(size, length, dtype=torch.float64).scatter_add_(1, mirrored, weights)


def cubic(x: Tensor) -> Tensor:
    """The cubic convolution kernel with a = -0.5 (Keys 1981, equation 15).

    >>> cubic(torch.tensor([0.0, -0.5, 1.0, 1.5, 2.0])).tolist()
    [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = x.abs()
    near = (1.5 * x - 2.5) * x.square() + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
