"""Structural similarity (SSIM) of batches of images, computed on their device."""

from __future__ import annotations

import torch
from torch import Tensor

PIXELS_AT_ONCE = 1 << 22  # bounds the memory of the filtered maps


def ssim(
    x: Tensor,
    y: Tensor,
    *,
    data_range: float = 1.0,
    window: int = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """Mean structural similarity of pairs of images (Wang et al. 2004, eq 13 and 17).

    The product of luminance, contrast and structure with exponents 1 and C3 = C2 / 2 is
    (2 mu_x mu_y + C1) (2 s_xy + C2) / ((mu_x^2 + mu_y^2 + C1) (s_x^2 + s_y^2 + C2)), with C1 = (k1 L)^2, C2 = (k2 L)^2.
    Means, variances and the covariance are weighted by a Gaussian window (biased variances, as in the authors' code). The
    product is averaged over the windows that lie wholly inside the image; a window larger than the image shrinks to the
    largest odd size that fits, with the same sigma. Channels are averaged. All is computed in float64, because differences
    of squares lose too many digits in float32.

    Args:
        x: (N, C, H, W) images, from 0 (black) to `data_range`.
        y: (N, C, H, W) images; exchanging x and y changes nothing.
        data_range: L, the length of the pixel range: 1 for images in [0, 1], 255 for grey levels.
        window: width of the Gaussian window, odd.
        sigma: its standard deviation in pixels.
        k1: keeps the luminance's fraction from 0 / 0 in dark windows.
        k2: keeps the fraction of contrast and structure from 0 / 0 in flat windows.

    Returns:
        (N,) in [-1, 1], 1 for equal images, in the dtype of the images.

    Raises:
        ValueError: names the argument and the remedy.

    Examples:
        Of flat images only the luminance counts: here (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1) = (.24 + C1) / (.25 + C1).

        >>> dark, bright = torch.full((1, 1, 16, 16), 0.3), torch.full((1, 1, 16, 16), 0.4)
        >>> round(ssim(dark, bright).item(), 4), round(0.2401 / 0.2501, 4), round(ssim(dark, dark).item(), 4)
        (0.96, 0.96, 1.0)
    """
    check_image_pairs(x, y)
    if data_range <= 0 or sigma <= 0:
        raise ValueError(f"data_range and sigma must be above 0, got {data_range} and {sigma}")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd, so that it has a centre, got {window}")
    n, _, height, width = x.shape
    size = min(window, height - (height + 1) % 2, width - (width + 1) % 2)
    rows, columns = (_band(length, size, sigma, x.device) for length in (height, width))
    images = max(1, PIXELS_AT_ONCE // x[0].numel()) if n else 1
    parts = [
        _similarity(a.double(), b.double(), rows, columns, (k1 * data_range) ** 2, (k2 * data_range) ** 2)
        for a, b in zip(x.detach().split(images), y.detach().split(images), strict=True)
    ]
    return torch.cat(parts).to(x.dtype) if n else x.new_empty(0)


def _similarity(x: Tensor, y: Tensor, rows: Tensor, columns: Tensor, c1: float, c2: float) -> Tensor:
    """(n,) mean SSIM of float64 images (n, C, H, W), filtered by banded matrices."""

    def mean(values: Tensor) -> Tensor:
        return rows @ values @ columns.T

    mu_x, mu_y = mean(x), mean(y)
    cross = mu_x * mu_y
    squares = mu_x.square() + mu_y.square()
    covariance = mean(x * y) - cross
    variances = mean(x * x + y * y) - squares
    score = ((2 * cross + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))
    return score.mean((1, 2, 3))


def _band(length: int, size: int, sigma: float, device: torch.device) -> Tensor:
    """(length - size + 1, length) float64 matrix that filters: row i is a Gaussian window of `size` that begins at i.

    On the CPU a product with this matrix takes a tenth of the time of a convolution.
    """
    offsets = torch.arange(length, dtype=torch.float64)[None] - torch.arange(length - size + 1)[:, None]
    weights = torch.exp(-(((offsets - size // 2) / sigma) ** 2) / 2) * ((offsets >= 0) & (offsets < size))
    return (weights / weights.sum(1, keepdim=True)).to(device)


def check_image_pairs(x: Tensor, y: Tensor) -> None:
    """Refuse what is not two batches of finite floating-point images of one shape.

    Raises:
        ValueError: names the argument and the remedy.

    Examples:
        >>> check_image_pairs(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), torch.nan))
        Traceback (most recent call last):
        ValueError: image 0 of the second batch has values that are NaN or infinite: leave it out
    """
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(
            f"two batches of images of the same shape (N, C, H, W) are compared, got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if 0 in x.shape[1:]:
        raise ValueError(f"images need channels and pixels, got the shape {tuple(x.shape)}")
    for name, values in (("the first", x), ("the second", y)):
        if not values.is_floating_point():
            raise ValueError(f"images must be floating-point, {name} batch is {values.dtype}: divide by 255")
        not_finite = (~torch.isfinite(values.flatten(1)).all(1)).nonzero()[:, 0].tolist()
        if not_finite:
            raise ValueError(f"image {not_finite[0]} of {name} batch has values that are NaN or infinite: leave it out")
