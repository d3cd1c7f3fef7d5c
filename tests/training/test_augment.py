"""Augmentations against brute force, one image at a time."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from advlab.defenses import Blur, Noise, Round
from advlab.errors import ArgumentError
from advlab.training.augment import affine, crop, pipeline, random_affine, random_crop, random_flip
from advlab.training.recipe_text import parse_augmentation


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


def test_shift_moves_each_image_with_wrap_in_one_of_four_directions(images: Tensor) -> None:
    moved = pipeline(["shift:2"])(images, seeded())
    counts = [0, 0, 0, 0]
    for got, image in zip(moved, images, strict=True):
        wanted = [image.roll(2, 1), image.roll(-2, 1), image.roll(2, 2), image.roll(-2, 2)]
        (which,) = [k for k, one in enumerate(wanted) if torch.equal(got, one)]
        counts[which] += 1
    assert min(counts) > 5
    assert not torch.equal(moved, pipeline(["shift:2"])(images, seeded(1)))


def test_blur_and_round_are_the_defenses(images: Tensor) -> None:
    def behind(defense: Blur | Round) -> Tensor:
        return defense(lambda x: x.flatten(1))(images).view(images.shape)

    assert torch.equal(pipeline(["blur:1.5"])(images, seeded()), behind(Blur(sigma=1.5)))
    assert torch.equal(pipeline(["round"])(images, seeded()), behind(Round()))


def test_grey_noise_is_distributed_as_that_of_the_defense() -> None:
    """Independent from pixel to pixel and step to step, of the same deviation, and clipped at black alike."""
    images = torch.full((400, 1, 16, 16), 0.5)
    images[:, :, :4] = 0
    apply, generator = pipeline(["grey_noise:8"]), seeded()
    first, second = apply(images, generator), apply(images, generator)
    grey = (first - images)[:, :, 4:]
    assert float(grey.std()) == pytest.approx(8 / 255, rel=0.01)
    assert abs(float((grey * (second - images)[:, :, 4:]).mean())) < 1e-5
    # a defense's noise is the same for equal images: give it other ones
    others = torch.rand(400, 1, 16, 16, generator=seeded(5)) * 1e-6
    black = Noise(sigma=8 / 255)(lambda x: x.flatten(1))(others)
    assert float(first[:, :, :4].min()) == 0.0
    assert float(first[:, :, :4].mean()) == pytest.approx(float(black.mean()), rel=0.02)
    assert float(first[:, :, :4].mean()) == pytest.approx(8 / 255 / math.sqrt(2 * math.pi), rel=0.02)


@pytest.mark.parametrize("text", ["shift:1.5", "shift", "blur:0", "blur:-1", "grey_noise:inf", "round:2"])
def test_strengths_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="recipe field augment"):
        parse_augmentation(text)


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
