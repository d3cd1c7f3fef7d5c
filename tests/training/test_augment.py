"""Augmentations against brute force, one image at a time."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from advlab.training.augment import affine, crop, pipeline, random_affine, random_crop, random_flip


@pytest.fixture
def images() -> Tensor:
    return torch.rand(64, 3, 9, 7, generator=Generator().manual_seed(1))


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_crop_against_brute_force(images: Tensor) -> None:
    offsets = torch.randint(0, 5, (2, len(images)), generator=seeded())
    result = crop(images, offsets, padding=2)
    for image, row, column, got in zip(images, offsets[0].tolist(), offsets[1].tolist(), result, strict=True):
        assert torch.equal(got, F.pad(image, (2, 2, 2, 2))[:, row : row + 9, column : column + 7])


def test_crop_with_the_middle_offset_is_the_identity(images: Tensor) -> None:
    offsets = torch.full((2, len(images)), 4)
    assert torch.equal(crop(images, offsets, padding=4), images)
    assert torch.equal(random_crop(images, seeded(), padding=0), images)


def test_random_crop_uses_every_offset() -> None:
    image = torch.arange(1.0, 26.0).view(1, 1, 5, 5).expand(500, 1, 5, 5)
    result = random_crop(image, seeded(), padding=1)
    middles = {(value - 13) for value in result[:, 0, 2, 2].int().tolist()}
    assert middles == {5 * row + column for row in (-1, 0, 1) for column in (-1, 0, 1)}


def test_flip_against_brute_force(images: Tensor) -> None:
    result = random_flip(images, seeded())
    flipped = [torch.equal(got, image.flip(2)) for got, image in zip(result, images, strict=True)]
    kept = [torch.equal(got, image) for got, image in zip(result, images, strict=True)]
    assert all(one != two for one, two in zip(flipped, kept, strict=True))
    assert 16 < sum(flipped) < 48


def test_affine_identity(images: Tensor) -> None:
    torch.testing.assert_close(random_affine(images, seeded(), degrees=0, translate=0, scale=0), images)


def test_affine_quarter_turn() -> None:
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    turned = affine(images, angle=torch.full((2,), math.pi / 2), shift=torch.zeros(2, 2), zoom=torch.ones(2))
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_affine_keeps_angles_in_images_that_are_not_square() -> None:
    """A quarter turn of the central square, whatever is beside it."""
    images = torch.rand(1, 1, 8, 14, dtype=torch.float64)
    turned = affine(images, angle=torch.tensor([math.pi / 2]), shift=torch.zeros(2, 1), zoom=torch.ones(1))
    torch.testing.assert_close(turned[..., 3:11], images[..., 3:11].rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_affine_shift_and_zoom() -> None:
    images = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    none, one = torch.zeros(1), torch.ones(1)
    right = affine(images, angle=none, shift=torch.tensor([[2 * 1 / 8], [0.0]]), zoom=one)
    torch.testing.assert_close(right[..., :-1], images[..., 1:])
    small = images[..., 2:6, 2:6]
    zoomed = affine(images, angle=none, shift=torch.zeros(2, 1), zoom=2 * one)
    wanted = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(zoomed[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])


def test_affine_stays_within_its_bounds() -> None:
    """The centre of mass of a dot moves by no more than the translation allows, and does move."""
    dots = torch.zeros(200, 1, 41, 41)
    dots[:, :, 20, 20] = 1
    moved = random_affine(dots, seeded(), degrees=0, translate=0.1, scale=0)
    columns = torch.arange(41.0)
    shift = (moved[:, 0].sum(dim=1) * columns).sum(dim=1) / moved.sum(dim=(1, 2, 3)) - 20
    assert shift.abs().max() <= 4.1 + 1e-4
    assert shift.abs().max() > 3
    assert shift.mean().abs() < 1


def test_pipeline_is_seeded_and_ordered(images: Tensor) -> None:
    apply = pipeline(["crop:2", "flip", "affine:10,0.1,0.1"])
    assert torch.equal(apply(images, seeded(3)), apply(images, seeded(3)))
    assert not torch.equal(apply(images, seeded(3)), apply(images, seeded(4)))
    generator = seeded(3)
    by_hand = random_flip(random_crop(images, generator, padding=2), generator)
    by_hand = random_affine(by_hand, generator, degrees=10, translate=0.1, scale=0.1)
    assert torch.equal(apply(images, seeded(3)), by_hand)
    assert pipeline([])(images, seeded()) is images


def test_pipeline_names_a_bad_augmentation() -> None:
    with pytest.raises(ValueError, match="mixup"):
        pipeline(["mixup"])
