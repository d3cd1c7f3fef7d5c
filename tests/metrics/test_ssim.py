"""SSIM against a direct loop over windows in float64, and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab.metrics import ssim as module
from advlab.metrics.ssim import ssim

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 40, 30), (1, 8, 8), (2, 5, 20), (1, 11, 12), (1, 1, 1)]


def by_windows(x: Any, y: Any, window: int = 11, sigma: float = 1.5, data_range: float = 1.0) -> float:
    """One pair (C, H, W): every window inside the image is weighted, centred and compared by itself."""
    window = min(window, *(n if n % 2 else n - 1 for n in x.shape[1:]))
    axis = np.arange(window) - (window - 1) / 2
    weights = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    c3 = c2 / 2
    scores = []
    for a, b in zip(x, y, strict=True):
        for i in range(a.shape[0] - window + 1):
            for j in range(a.shape[1] - window + 1):
                p, q = a[i : i + window, j : j + window], b[i : i + window, j : j + window]
                mp, mq = (weights * p).sum(), (weights * q).sum()
                sp, sq = np.sqrt((weights * (p - mp) ** 2).sum()), np.sqrt((weights * (q - mq) ** 2).sum())
                cross = (weights * (p - mp) * (q - mq)).sum()
                luminance = (2 * mp * mq + c1) / (mp**2 + mq**2 + c1)
                contrast = (2 * sp * sq + c2) / (sp**2 + sq**2 + c2)
                scores.append(luminance * contrast * (cross + c3) / (sp * sq + c3))
    return float(np.mean(scores))


def pairs(shape: tuple[int, ...], n: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, *shape, generator=generator, dtype=torch.float64)
    y = (x + 0.3 * torch.randn(x.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)
    return x.to(dtype), y.to(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ssim_is_the_mean_over_the_windows_inside_the_image(shape: tuple[int, int, int]) -> None:
    x, y = pairs(shape)
    expected = [by_windows(a.numpy(), b.numpy()) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y).numpy(), expected, rtol=0, atol=1e-12)


def test_window_sigma_and_range_are_followed() -> None:
    x, y = pairs((1, 20, 20))
    expected = [by_windows(a.numpy(), b.numpy(), window=7, sigma=2.0) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y, window=7, sigma=2.0).numpy(), expected, atol=1e-12)
    expected = [by_windows(a.numpy(), b.numpy(), data_range=3.0) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y, data_range=3.0).numpy(), expected, atol=1e-12)


def test_grey_levels_give_what_the_unit_interval_gives() -> None:
    x, y = pairs((3, 16, 16))
    torch.testing.assert_close(ssim(255 * x, 255 * y, data_range=255), ssim(x, y))


def test_constant_images_differ_by_their_luminance() -> None:
    a, b = 0.2, 0.7
    x, y = torch.full((2, 3, 28, 28), a, dtype=torch.float64), torch.full((2, 3, 28, 28), b, dtype=torch.float64)
    expected = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    torch.testing.assert_close(ssim(x, y), torch.full((2,), expected, dtype=torch.float64))
    black = torch.zeros(1, 1, 28, 28)
    assert ssim(black, black).tolist() == [1.0]
    assert ssim(black, black + 1).item() == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_image_is_wholly_similar_to_itself_and_the_order_does_not_matter(dtype: torch.dtype) -> None:
    x, y = pairs((3, 28, 28), dtype=dtype)
    assert ssim(x, x).tolist() == [1.0] * 3
    assert torch.equal(ssim(x, y), ssim(y, x))
    assert ssim(x, y).dtype == dtype


def test_a_negative_has_the_opposite_structure() -> None:
    x, _ = pairs((1, 28, 28))
    assert float(ssim(x, 1 - x, k1=1e6, k2=1e-6).max()) == pytest.approx(-1, abs=1e-6)
    assert float(ssim(x, 1 - x).max()) < -0.5


def test_float32_images_near_white_lose_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 1 - 1e-3 * torch.rand(2, 1, 28, 28, generator=generator)
    y = 1 - 1e-3 * torch.rand(2, 1, 28, 28, generator=generator)
    torch.testing.assert_close(ssim(x, y).double(), ssim(x.double(), y.double()), rtol=0, atol=1e-7)


def test_neither_the_batch_nor_its_parts_change_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pairs((2, 20, 14), n=5)
    whole = ssim(x, y)
    torch.testing.assert_close(torch.cat([ssim(x[i : i + 1], y[i : i + 1]) for i in range(5)]), whole)
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 2 * 2 * 20 * 14)
    torch.testing.assert_close(ssim(x, y), whole)
    assert ssim(x[:0], y[:0]).shape == (0,)


def test_bad_input_is_refused_by_name() -> None:
    x, y = pairs((1, 12, 12))
    with pytest.raises(ValueError, match=r"same shape .*\(3, 1, 12, 12\) and \(2, 1, 12, 12\)"):
        ssim(x, y[:2])
    with pytest.raises(ValueError, match="same shape"):
        ssim(x[0], y[0])
    with pytest.raises(ValueError, match="divide by 255"):
        ssim(x, (y * 255).to(torch.uint8))
    y[1, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="image 1 of the second batch"):
        ssim(x, y)
    with pytest.raises(ValueError, match="window must be odd"):
        ssim(x, x, window=10)
    with pytest.raises(ValueError, match="data_range"):
        ssim(x, x, data_range=0)
    with pytest.raises(ValueError, match="pixels"):
        ssim(x[..., :0], x[..., :0])
