"""Blur against scipy, and resampling against MATLAB's imresize by hand, torch's interpolation and closed-form properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from advlab.config.identity import component_key
from advlab.defenses import Blur, Resample
from advlab.defenses.transforms.separable import bicubic_matrix
from advlab.errors import ArgumentError
from advlab.testing import image_data
from tests.helpers.imresize import imresize


def applied(defense: Blur | Resample, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = defense(torch.nn.Identity())(x)
    return result


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 8.0])
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


SHAPES = [
    ((12, 12), 5, (5, 5)),
    ((9, 18), 4, (4, 8)),
    ((7, 7), 0, (4, 4)),
    ((227, 227), 100, (100, 100)),
    ((6, 6), 1, (1, 1)),
]


@pytest.mark.parametrize(("shape", "size", "small"), SHAPES)
def test_resample_is_matlabs_imresize(shape: tuple[int, int], size: int, small: tuple[int, int]) -> None:
    x = torch.rand(1, 2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = x.numpy().copy()
    for axis in (2, 3):
        turned = np.moveaxis(expected, axis, 0)
        expected = np.moveaxis(imresize(imresize(turned, small[axis - 2]), shape[axis - 2]), 0, axis)
    assert np.allclose(applied(Resample(size=size), x).numpy(), expected, rtol=0, atol=1e-13)
    assert np.allclose(applied(Resample(size=size), x.float()).numpy(), expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize(("length", "size"), [(60, 25), (60, 53), (25, 60)])
def test_away_from_the_ends_it_is_torchs_interpolation(length: int, size: int) -> None:
    impulses = torch.eye(length, dtype=torch.float64)
    expected = torch.nn.functional.interpolate(impulses[None, None], (size, length), mode="bicubic", antialias=True)[
        0, 0
    ]
    ends = math.ceil(2 * max(1.0, size / length)) + 1  # rows whose kernel reaches beyond an end
    matrix = bicubic_matrix(length, size)
    assert torch.allclose(matrix[ends:-ends], expected[ends:-ends], rtol=0, atol=1e-13)
    assert float((matrix - expected)[:ends].abs().max()) > 0.01  # torch cuts the kernel off, MATLAB mirrors


def test_resample_keeps_constants_and_takes_high_frequencies_away() -> None:
    constant = torch.full((1, 1, 16, 16), 0.3, dtype=torch.float64)
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).double()[None, None]
    assert torch.allclose(applied(Resample(size=4), constant), constant)
    assert float((applied(Resample(size=4), board) - 0.5).abs()[:, :, 4:-4, 4:-4].max()) < 0.02
    assert torch.allclose(applied(Resample(size=16), board), board)


def test_centred_resampling_keeps_what_the_mean_loses() -> None:
    """m + R (x - m) of a mean image; R x of one value a channel; and the fit takes the training images' mean."""
    generator = torch.Generator().manual_seed(0)
    x, mean = (torch.rand(*shape, dtype=torch.float64, generator=generator) for shape in ((4, 2, 9, 9), (2, 9, 9)))
    plain = applied(Resample(size=4), x)
    centred = applied(Resample(size=4, centred=True, mean=mean), x)
    assert torch.allclose(centred, mean + applied(Resample(size=4), x - mean), rtol=0, atol=1e-14)
    assert float((centred - plain).abs().max()) > 0.1
    channels = mean.mean((1, 2), keepdim=True)
    assert torch.allclose(applied(Resample(size=4, centred=True, mean=channels), x), plain, rtol=0, atol=1e-14)
    assert torch.equal(applied(Resample(size=9, centred=True, mean=mean), x), x)
    images = image_data(x.float(), torch.zeros(4, dtype=torch.int64))
    fitted = Resample(size=4, centred=True).fit(images, torch.nn.Identity())
    assert fitted is not None
    assert torch.allclose(fitted["mean"], images.images(torch.arange(4)).double().mean(0), rtol=0, atol=1e-7)


def test_means_are_told_apart_and_must_be_there() -> None:
    one, other = (Resample(size=4, centred=True, mean=torch.full((1, 1, 1), value)) for value in (0.1, 0.2))
    assert one.archived() != other.archived()
    assert component_key(Resample(size=4)) == {**component_key(Resample()), "size": 4}
    with pytest.raises(ArgumentError, match="centred=true needs the mean training image"):
        Resample(centred=True)(torch.nn.Identity())
    with pytest.raises(ArgumentError, match="mean must be a tensor, got float"):
        Resample(centred=True, mean=0.5)


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
