"""Two levels, bits and truncation by hand; JPEG against Pillow's files, and OpenCV's."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from advlab.defenses import Binarize, BitDepth, Blur, Chain, Combined, Defense, Jpeg, Noise, Round, Shift
from advlab.errors import ArgumentError


def applied(defense: Defense, x: Tensor, bounds: tuple[float, float] = (0.0, 1.0)) -> Tensor:
    result: Tensor = defense(nn.Identity(), bounds=bounds)(x)
    return result


def grey_levels(channels: int, side: int = 24) -> np.ndarray:
    """(2, channels, side, side) uint8: smooth, with some noise."""
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (2, channels, 4, 4), dtype=np.uint8)
    large = smooth.repeat(side // 4, 2).repeat(side // 4, 3).astype(int) + rng.integers(
        -9, 10, (2, channels, side, side)
    )
    return large.clip(0, 255).astype(np.uint8)


def test_binarize() -> None:
    x = torch.tensor([0.0, 0.3, 0.5, 0.51, 1.0]).view(1, 1, 1, 5)
    assert applied(Binarize(), x).flatten().tolist() == [0, 0, 1, 1, 1]
    assert applied(Binarize(threshold=0.25), x * 255, (0.0, 255.0)).flatten().tolist() == [0, 255, 255, 255, 255]
    images = torch.rand(3, 2, 5, 4, dtype=torch.float64)
    assert np.array_equal(applied(Binarize(threshold=0.7), images).numpy(), np.where(images.numpy() >= 0.7, 1.0, 0.0))
    with pytest.raises(ArgumentError, match="threshold must be above 0 and below 1"):
        Binarize(threshold=1.0)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_bit_depth(bits: int) -> None:
    x = torch.rand(3, 2, 5, 4, dtype=torch.float64)
    steps = 2**bits - 1
    assert np.allclose(applied(BitDepth(bits=bits), x).numpy(), np.rint(x.numpy() * steps) / steps, rtol=0, atol=1e-15)


def test_truncation_leaves_whole_grey_levels_where_they_are() -> None:
    for dtype in (torch.float32, torch.float64):
        levels = torch.arange(256, dtype=dtype).view(1, 1, 16, 16)
        assert torch.equal(applied(Round(towards="zero"), levels / 255), levels / 255)
        assert torch.equal(applied(Round(towards="zero"), (levels + 0.9) / 255), levels / 255)


@pytest.mark.parametrize("towards", ["nearest", "zero"])
def test_combined_is_shift_blur_noise_and_rounding_in_this_order(towards: str) -> None:
    x = torch.rand(3, 2, 7, 6, dtype=torch.float64)
    chain = Chain(of=(Shift(pixels=2, seed=5), Blur(sigma=0.7), Noise(sigma=0.02, seed=5), Round(towards=towards)))  # type: ignore[arg-type]
    combined = Combined(pixels=2, sigma=0.7, noise=0.02, seed=5, integers=towards)  # type: ignore[arg-type]
    assert torch.equal(applied(combined, x), applied(chain, x))
    assert (combined.random, combined.differentiable) == (chain.random, chain.differentiable)
    free = Chain(of=(Shift(), Blur(), Noise(clip=False)))
    assert torch.equal(applied(Combined(integers="none"), x), applied(free, x))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [10, 75, 95])
def test_jpeg_is_pillows_and_opencvs(channels: int, quality: int) -> None:
    levels = grey_levels(channels)
    found = applied(Jpeg(quality=quality), torch.from_numpy(levels).float() / 255)
    assert found.dtype == torch.float32
    assert bool((found * 255 != torch.from_numpy(levels)).any())
    for image, coded in zip(levels, found, strict=True):
        picture = image[0] if channels == 1 else image.transpose(1, 2, 0)
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "jpeg", quality=quality)
        expected = np.asarray(Image.open(file)).reshape(24, 24, channels).transpose(2, 0, 1)
        assert np.array_equal((coded.numpy() * 255).round(), expected)
        assert torch.equal(coded, torch.from_numpy(expected.copy()).float() / 255)
        bgr = np.ascontiguousarray(picture if channels == 1 else picture[:, :, ::-1])
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = (
            np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED))
            .reshape(24, 24, channels)[:, :, ::-1]
            .transpose(2, 0, 1)
        )
        assert np.abs(decoded.astype(int) - expected).max() <= 1


def test_jpeg_of_other_channels_and_bounds() -> None:
    levels = grey_levels(2)
    coded = applied(Jpeg(), torch.from_numpy(levels).double(), (0.0, 255.0))
    for channel in (0, 1):
        alone = applied(Jpeg(), torch.from_numpy(levels[:, [channel]]).double() / 255)
        assert torch.allclose(coded[:, [channel]], alone * 255, rtol=0, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"quality must be .*100"):
        Jpeg(quality=101)
