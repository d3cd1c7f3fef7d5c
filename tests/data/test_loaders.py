"""A user's own loader: what it may return, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from advlab.data.images import ImageData
from advlab.data.plugin_source import plugin_source
from advlab.data.source import LoadOptions
from advlab.errors import ConfigError, DataError
from advlab.store.artifacts import ArtifactStore


def from_loader(loader: Callable[..., Any], **keys: Any) -> ImageData:
    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False), (3, 24, 24))
    return plugin_source("toy", loader)(**keys).load("test", "toy", options)


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES, IMAGES.transpose(0, 3, 1, 2), IMAGES / 255, (IMAGES / 255).astype(np.float32), torch.from_numpy(IMAGES),
        IMAGES[..., ::-1][..., ::-1], IMAGES[::-1][::-1], list(IMAGES),
    ],
    ids=["NHWC", "NCHW", "float64", "float32", "tensor", "channels turned", "order turned", "list"],
)  # fmt: skip
def test_loaders_may_return_any_of_these(images: Any) -> None:
    data = from_loader(lambda *, split: (images, [0, 1, 0, 1, 0, 1], ["a", "b"]))
    assert torch.equal(data.bytes(torch.arange(6)), torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    turned = from_loader(lambda *, split: (IMAGES[..., ::-1], np.zeros(6, np.uint8), ["a"]))
    assert torch.equal(turned.bytes(torch.arange(6)), torch.from_numpy(IMAGES).permute(0, 3, 1, 2).flip(1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_floats_between_grey_levels_are_kept(dtype: Any) -> None:
    floats = np.random.default_rng(1).random((6, 9, 12, 3)).astype(dtype)
    data = from_loader(lambda *, split: (floats, [0, 1, 0, 1, 0, 1], ["a", "b"]))
    wanted = torch.from_numpy(floats.astype(np.float32)).permute(0, 3, 1, 2)
    images = data.images(torch.arange(6))
    assert images.dtype == torch.float32
    assert torch.equal(images, wanted)
    images.zero_()  # what is handed out is no view of the data
    assert torch.equal(data.images(torch.tensor([4, 1])), wanted[[4, 1]])
    torch.testing.assert_close(data.mean_image(batch=4), wanted.double().mean(0))
    nearly = from_loader(lambda *, split: (floats * dtype(0.999), [0, 1, 0, 1, 0, 1], ["a", "b"]))
    assert nearly.digest != data.digest


def test_floats_are_resized_without_rounding() -> None:
    floats = np.random.default_rng(1).random((4, 8, 8, 3))
    data = from_loader(lambda *, split: (floats, [0, 1, 0, 1], ["a", "b"]), size=4, channels=1)
    images = torch.from_numpy(floats).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(images, (4, 4), mode="bilinear", antialias=True)
    grey = torch.einsum("nchw,c->nhw", small, torch.tensor([0.299, 0.587, 0.114]))[:, None]
    torch.testing.assert_close(data.images(torch.arange(4)), grey)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ((IMAGES * 1.0, [0] * 6, ["a"]), r"floats in \[0, 1\], these reach from 0 to 255: divide them by 255"),
        ((IMAGES / 128 - 1, [0] * 6, ["a"]), r"reach from -1 to .*: undo their normalisation"),
        ((IMAGES / 255**2, [0] * 6, ["a"]), "divided by 255 twice"),
        ((IMAGES // 128, [0] * 6, ["a"]), r"uint8 and hold 0 and 1 alone.* white is 255"),
        ((IMAGES.astype(np.int64), [0] * 6, ["a"]), r"uint8, or floats in \[0, 1\]"),
        ((np.full((6, 4, 4), np.nan), [0] * 6, ["a"]), "NaN or infinite"),
        ((IMAGES[..., :2], [0] * 6, ["a"]), "1 or 3 channels"),
        ((IMAGES[:0], [], ["a"]), "holds no images"),
        ((IMAGES, [0.5] * 6, ["a"]), "labels must be"),
        ((IMAGES, [0] * 5, ["a"]), "6 images but 5 labels"),
        ((IMAGES, [3] * 6, ["a"]), "outside of the 1 classes"),
        ((IMAGES, [0] * 6), "must return"),
        (([IMAGES[0], IMAGES[1, :4]], [0, 0], ["a"]), "must return"),
    ],
)
def test_loaders_that_return_something_else(returned: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_loader(lambda *, split: returned)


def test_a_loaders_own_keys() -> None:
    def load(*, split: str, count: int = 6) -> Any:
        return IMAGES[:count], [0] * count, ["a"]

    assert len(from_loader(load)) == 6
    assert len(from_loader(load, count=2)) == 2

    def clash(*, split: str, size: int = 6) -> Any:
        return None

    with pytest.raises(ConfigError, match="'size'"):
        from_loader(clash)


def test_floats_between_grey_levels_are_not_rounded(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 8, 8, 3))
    options = LoadOptions(tmp_path, False, ArtifactStore(tmp_path))

    def load(array: Any, **keys: Any) -> ImageData:
        return plugin_source("x", lambda split: (array, [0, 1] * 3, ["a", "b"]))(**keys).load("test", "x", options)

    data = load(values)
    expected = torch.from_numpy(values.transpose(0, 3, 1, 2)).float()
    assert torch.equal(data.images(torch.arange(6)), expected)
    assert torch.equal(data.bytes(torch.arange(6)), (expected * 255).round().to(torch.uint8))
    torch.testing.assert_close(data.mean_image(), expected.double().mean(0))
    assert data.digest != load(values + 1e-4 * (values < 0.5)).digest
    grey = load(values, channels=1, size=4).images(torch.arange(6))
    small = torch.nn.functional.interpolate(expected, (4, 4), mode="bilinear", antialias=True)
    torch.testing.assert_close(grey[:, 0], torch.einsum("nchw,c->nhw", small, torch.tensor([0.299, 0.587, 0.114])))
