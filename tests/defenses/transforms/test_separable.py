"""Blur against scipy, and resampling against torch's interpolation and its closed-form properties."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from advlab.defenses import Blur, Resample
from advlab.errors import ArgumentError


def applied(defense: Blur | Resample, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = defense(torch.nn.Identity())(x)
    return result


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 9.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blur_is_scipys(sigma: float, dtype: torch.dtype) -> None:
    x = torch.rand(2, 3, 13, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))
    expected = gaussian_filter(x.double().numpy(), sigma=(0, 0, sigma, sigma), mode="nearest", truncate=4.0)
    blurred = applied(Blur(sigma=sigma), x)
    assert blurred.dtype == dtype
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    assert torch.allclose(blurred.double(), torch.from_numpy(expected), rtol=0, atol=tolerance)
    assert float(blurred.min()) >= 0
    assert float(blurred.max()) <= 1


@pytest.mark.parametrize(("shape", "size", "small"), [((12, 12), 5, (5, 5)), ((9, 18), 4, (4, 8)), ((7, 7), 0, (4, 4))])
def test_resample_is_torchs_interpolation(shape: tuple[int, int], size: int, small: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def bicubic(image: torch.Tensor, to: tuple[int, int]) -> torch.Tensor:
        return torch.nn.functional.interpolate(image, to, mode="bicubic", antialias=True)

    expected = bicubic(bicubic(x, small), shape)
    assert torch.allclose(applied(Resample(size=size), x), expected, rtol=0, atol=1e-13)
    assert torch.allclose(applied(Resample(size=size), x.float()).double(), expected, rtol=0, atol=2e-6)


def test_resample_keeps_constants_and_takes_high_frequencies_away() -> None:
    constant = torch.full((1, 1, 16, 16), 0.3, dtype=torch.float64)
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).double()[None, None]
    assert torch.allclose(applied(Resample(size=4), constant), constant)
    assert float((applied(Resample(size=4), board) - 0.5).abs()[:, :, 4:-4, 4:-4].max()) < 0.02
    assert torch.allclose(applied(Resample(size=16), board), board)


def test_a_size_above_the_image_is_refused() -> None:
    with pytest.raises(ArgumentError, match="size=9 is larger than the images, 8 x 12: take at most 8"):
        applied(Resample(size=9), torch.zeros(1, 1, 8, 12))


def test_matrices_kept_from_inference_serve_gradients() -> None:
    """The first use may be a clean forward without gradients; an attack comes later."""
    network = Blur(sigma=1.23)(torch.nn.Flatten())
    with torch.inference_mode():
        network(torch.rand(1, 1, 6, 6))
    x = torch.rand(1, 1, 6, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x).square().sum(), x)
    assert bool((gradient != 0).any())
