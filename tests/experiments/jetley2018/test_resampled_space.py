"""The smaller space of images: against MATLAB's imresize by hand, and the identity at the own size."""

from __future__ import annotations

import pytest
import torch

from advlab.defenses.transforms.separable import DownAndUp
from advlab.errors import ArgumentError
from experiments.jetley2018.resampled_space import ResampledSpace
from tests.helpers.imresize import imresize


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_coordinates_are_matlabs_resampling() -> None:
    x, space = image(2, 3, 24, 36), ResampledSpace((3, 24, 36), 10)
    columns = imresize(x.numpy().transpose(2, 0, 1, 3), 10)  # (10, 2, 3, 36)
    small = imresize(columns.transpose(3, 1, 2, 0), 15).transpose(1, 2, 3, 0)
    assert space.dimensions == 3 * 10 * 15
    assert torch.allclose(space.coordinates(x), torch.from_numpy(small).flatten(1), atol=1e-12)


def test_down_and_up_is_the_defense() -> None:
    x, space = image(2, 3, 24, 36), ResampledSpace((3, 24, 36), 10)
    assert torch.allclose(space.images(space.coordinates(x)), DownAndUp(10).transform(x, None), atol=1e-12)


@pytest.mark.parametrize("size", [0, 9])
def test_at_the_own_size_nothing_changes(size: int) -> None:
    x, space = image(2, 1, 9, 12), ResampledSpace((1, 9, 12), size)
    assert torch.equal(space.images(space.coordinates(x)), x)


def test_larger_than_the_images_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"experiment\.resampled_to=9"):
        ResampledSpace((1, 9, 12), 10)
