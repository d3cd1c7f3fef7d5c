"""PASS: known movements are undone, what cannot be aligned is compared as it is."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from advlab.errors import AdvlabError
from advlab.metrics import pass_score as module
from advlab.metrics.pass_score import homographies, pass_score, warp
from advlab.metrics.ssim import ssim

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 40, 30)]


def blobs(shape: tuple[int, int, int], n: int = 4, sigma: float = 2.0, pad: int = 4) -> Tensor:
    """(n, C, H + 2 pad, W + 2 pad) smooth patterns in [0, 1], larger than the image that is cut out of them."""
    channels, height, width = shape
    noise = np.random.default_rng(0).normal(size=(n, channels, height + 2 * pad, width + 2 * pad))
    smooth = ndimage.gaussian_filter(noise, (0, 0, sigma, sigma))
    low, high = smooth.min((1, 2, 3), keepdims=True), smooth.max((1, 2, 3), keepdims=True)
    return torch.from_numpy((smooth - low) / (high - low)).float()


def cut(images: Tensor, down: int = 0, right: int = 0, pad: int = 4) -> Tensor:
    """The image whose content has moved by (down, right) pixels."""
    height, width = images.shape[2] - 2 * pad, images.shape[3] - 2 * pad
    return images[:, :, pad - down : pad - down + height, pad - right : pad - right + width].clone()


@pytest.mark.parametrize("shape", [*SHAPES, (1, 8, 8)], ids=str)
def test_an_image_has_the_score_1_with_itself(shape: tuple[int, int, int]) -> None:
    x = cut(blobs(shape))
    assert pass_score(x, x).tolist() == [1.0] * 4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shift_by_one_pixel_scores_far_above_plain_similarity(shape: tuple[int, int, int]) -> None:
    images = blobs(shape, sigma=1.2)
    x, moved = cut(images), cut(images, right=1)
    plain, score = ssim(x, moved), pass_score(x, moved)
    assert float(plain.max()) < 0.85
    assert float(((1 - score) / (1 - plain)).max()) < 0.1


def test_the_alignment_goes_from_the_original_to_the_adversarial_image() -> None:
    images = blobs((1, 40, 30))
    estimated = homographies(cut(images), cut(images, down=1, right=2), blur=1)  # a filter's borders would bend it
    expected = torch.tensor([[1.0, 0, 2], [0, 1, 1], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(estimated, expected.expand(4, 3, 3), rtol=0, atol=0.01)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_small_rotation_is_undone(shape: tuple[int, int, int]) -> None:
    images = blobs(shape, sigma=1.5)
    turned = torch.from_numpy(ndimage.rotate(images.numpy(), 5, axes=(3, 2), reshape=False, order=3)).float()
    x, y = cut(images), cut(turned).clamp(0, 1)
    plain, score = ssim(x, y), pass_score(x, y)
    assert float(plain.max()) < 0.95
    assert float(((1 - score) / (1 - plain)).max()) < 0.1


def test_noise_on_a_shifted_image_costs_what_noise_costs() -> None:
    images = blobs((1, 28, 28), sigma=1.5)
    x, moved = cut(images), cut(images, down=1)
    noise = 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert float((pass_score(x, moved + noise) - ssim(x, x + noise)).abs().max()) < 0.1


@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 9, 9), (1, 8, 8), (1, 3, 3), (2, 2, 5), (1, 1, 1), (1, 1, 9)], ids=str
)
def test_what_cannot_be_aligned_is_compared_as_it_is(shape: tuple[int, int, int]) -> None:
    noise = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1))
    for flat in (torch.zeros(2, *shape), torch.full((2, *shape), 0.5), torch.ones(2, *shape)):
        assert torch.equal(pass_score(flat, noise), ssim(flat, noise))
        assert torch.equal(pass_score(noise, flat), ssim(noise, flat))
        assert torch.equal(pass_score(flat, 1 - flat), ssim(flat, 1 - flat))
    score = pass_score(noise, 1 - noise)
    assert bool(torch.isfinite(score).all() & (score.abs() <= 1 + 1e-6).all())


def test_a_single_bright_pixel_does_no_harm() -> None:
    x, y = torch.zeros(3, 1, 28, 28), torch.zeros(3, 1, 28, 28)
    x[:, 0, 3, 4] = 1
    y[0, 0, 27, 27], y[1, 0, 3, 5], y[2, 0, 0, 0] = 1, 1, 1e-30
    score = pass_score(x, y)
    assert bool(torch.isfinite(score).all())


def test_an_alignment_that_lowers_the_correlation_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    images = blobs((3, 32, 32))
    x, y = cut(images), (cut(images) + 0.01).clamp(0, 1)
    worse = torch.eye(3, dtype=torch.float64).expand(4, 3, 3).clone()
    worse[:, 0, 2] = 3
    worse[3] = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])  # every point at infinity
    monkeypatch.setattr(module, "homographies", lambda *_, **__: worse)
    assert torch.equal(pass_score(x, y), ssim(x, y))


def test_the_warp_is_bilinear_with_the_border_asked_for() -> None:
    x = torch.arange(12.0, dtype=torch.float64).reshape(1, 1, 3, 4)
    shift = torch.tensor([[[1.0, 0, 0.5], [0, 1, 1], [0, 0, 1]]], dtype=torch.float64)
    expected = [[4.5, 5.5, 6.5, 7], [8.5, 9.5, 10.5, 11], [8.5, 9.5, 10.5, 11]]
    torch.testing.assert_close(warp(x, shift)[0, 0], torch.tensor(expected, dtype=torch.float64))
    expected = [[4.5, 5.5, 6.5, 3.5], [8.5, 9.5, 10.5, 5.5], [0, 0, 0, 0]]
    torch.testing.assert_close(warp(x, shift, "constant")[0, 0], torch.tensor(expected, dtype=torch.float64))
    with pytest.raises(ValueError, match="border must be"):
        warp(x, shift, "mirror")  # type: ignore[arg-type]


def test_the_warp_is_that_of_opencv() -> None:
    x = blobs((3, 40, 30))
    matrix = np.array([[1.02, 0.03, -1.3], [-0.02, 0.97, 0.8], [2e-4, -3e-4, 1.0]])
    size = (x.shape[3], x.shape[2])
    expected = cv2.warpPerspective(
        x[0].permute(1, 2, 0).numpy(),
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    ours = warp(x[:1], torch.from_numpy(matrix)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.numpy(), expected, atol=0.01)  # OpenCV rounds places to 1/32 of a pixel


def test_neither_the_batch_nor_the_threads_nor_the_unit_change_a_pair() -> None:
    images = blobs((3, 32, 32), n=6, sigma=1.5)
    x, y = cut(images), cut(images, down=1, right=-1)
    before = cv2.getNumThreads()
    whole = pass_score(x, y, threads=3)
    assert cv2.getNumThreads() == before
    single = torch.cat([pass_score(x[i : i + 1], y[i : i + 1], threads=1) for i in range(6)])
    torch.testing.assert_close(single, whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(pass_score(256 * x, 256 * y, data_range=256), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(pass_score(x.double(), y.double()).float(), whole, rtol=0, atol=1e-5)
    assert pass_score(x.double(), y.double()).dtype == torch.float64
    assert pass_score(x[:0], y[:0]).shape == (0,)


def test_the_inputs_are_left_alone() -> None:
    images = blobs((1, 28, 28))
    x, y = cut(images), cut(images, right=1)
    kept = x.clone(), y.clone()
    pass_score(x, y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


def test_bad_input_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cut(blobs((1, 28, 28)))
    bad = x.clone()
    bad[2, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="image 2 of the second batch"):
        pass_score(x, bad)
    with pytest.raises(ValueError, match="same shape"):
        pass_score(x, x[:1])
    with pytest.raises(ValueError, match="odd blur"):
        pass_score(x, x, blur=4)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="pip install opencv-python-headless") as caught:
        pass_score(x, x)
    assert isinstance(caught.value, AdvlabError)  # which the command line shows as a message
