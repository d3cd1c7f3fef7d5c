"""Random augmentations of whole batches on the device: crop, flip, affine, and what defenses do to images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from advlab.defenses.transforms.randomised import DIRECTIONS, noisy, shifted
from advlab.defenses.transforms.rounding import Rounding
from advlab.defenses.transforms.separable import gaussian_blur
from advlab.training.recipe_text import ADVERSARIES, parse_augmentation

Augmentation = Callable[[Tensor, Generator], Tensor]
BOUNDS = (0.0, 1.0)
GREY_LEVELS = 255


def pipeline(texts: Sequence[str]) -> Augmentation:
    """The augmentations that a recipe lists ("crop:4", "flip", "affine:10,0.1,0.1"), applied in that order.

    The result takes images (N, C, H, W), of any floating type and not yet normalised, and a generator on their device,
    and gives images of the same shape.

    Raises:
        ValueError: a text is not an augmentation.
    """
    augmentations = [_augmentation(*parse_augmentation(text)) for text in texts]

    def apply(images: Tensor, generator: Generator) -> Tensor:
        for augmentation in augmentations:
            images = augmentation(images, generator)
        return images

    return apply


def random_crop(images: Tensor, generator: Generator, *, padding: int) -> Tensor:
    """Images (N, C, H, W), each shifted by its own offset of up to `padding` pixels each way; what moves in is black."""
    if padding == 0:
        return images
    offsets = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=generator, device=images.device)
    return crop(images, offsets, padding=padding)


def crop(images: Tensor, offsets: Tensor, *, padding: int) -> Tensor:
    """Cut windows of the size of the images (N, C, H, W) out of the padded images.

    Args:
        images: of any floating type.
        offsets: (2, N) first row and first column of each window, 0 to 2 `padding`.
        padding: black pixels on each side.
    """
    batch, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (padding, padding, padding, padding))
    rows = offsets[0, :, None] + torch.arange(height, device=device)
    columns = offsets[1, :, None] + torch.arange(width, device=device)
    image = torch.arange(batch, device=device)[:, None, None]
    # indexing the last dimension but one from (N, H, W, C) moves whole pixels: one gather instead of one per channel
    pixels = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return pixels.permute(0, 3, 1, 2)


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Images (N, C, H, W), each mirrored left to right with probability 1/2."""
    flipped = torch.rand(images.shape[0], generator=generator, device=images.device) < 0.5
    return torch.where(flipped[:, None, None, None], images.flip(3), images)


def random_affine(images: Tensor, generator: Generator, *, degrees: float, translate: float, scale: float) -> Tensor:
    """Images (N, C, H, W), each rotated, shifted and zoomed by its own uniform random amounts.

    Args:
        images: of any floating type.
        generator: on their device.
        degrees: of the rotation, at most, either way.
        translate: of the shift along each axis, at most, as a fraction of the size.
        scale: the factor of the zoom lies in [1 - scale, 1 + scale].
    """
    uniform = torch.rand(4, len(images), generator=generator, device=images.device) * 2 - 1
    angle = uniform[0] * math.radians(degrees)
    # coordinates run from -1 to 1 over an image: a shift by the fraction f of its size is 2 f
    shift = uniform[1:3] * (2 * translate)
    return affine(images, angle=angle, shift=shift, zoom=1 + uniform[3] * scale)


def affine(images: Tensor, *, angle: Tensor, shift: Tensor, zoom: Tensor) -> Tensor:
    """Rotate, shift and zoom images, interpolated bilinearly, with their borders repeated outwards.

    Args:
        images: (N, C, H, W).
        angle: (N,) in radians.
        shift: (2, N) along x, then y, as a fraction of half the size.
        zoom: (N,) factors; above 1 enlarges.
    """
    ratio = images.shape[3] / images.shape[2]  # the grid is square, the image need not be: rotate in pixels
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    theta = torch.stack(
        [torch.stack([cosine, -sine / ratio, shift[0]], dim=1), torch.stack([sine * ratio, cosine, shift[1]], dim=1)],
        dim=1,
    )
    grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def random_shift(images: Tensor, generator: Generator, *, pixels: int) -> Tensor:
    """Images (N, C, H, W), each shifted with wrap by `pixels` in one of four directions, as `defense=shift` does."""
    direction = torch.randint(len(DIRECTIONS), (len(images),), generator=generator, device=images.device)
    return shifted(images, direction, pixels)


def grey_noise(images: Tensor, generator: Generator, *, levels: float) -> Tensor:
    """Images (N, C, H, W) with Gaussian noise of so many grey levels, clipped to [0, 1], as `defense=noise` does."""
    normal = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return noisy(images, normal, levels / GREY_LEVELS, BOUNDS, clip=True)


def _augmentation(name: str, values: tuple[float, ...]) -> Augmentation:
    """The function that a parsed text names, with its parameters."""
    if name in ADVERSARIES:
        raise ValueError(f"{name} adds points to a batch by its network: see advlab.training.adversary")
    if name == "flip":
        return random_flip
    if name == "crop":
        return lambda images, generator: random_crop(images, generator, padding=int(values[0]))
    if name == "shift":
        return lambda images, generator: random_shift(images, generator, pixels=int(values[0]))
    if name == "blur":
        return lambda images, _: gaussian_blur(images, values[0])
    if name == "grey_noise":
        return lambda images, generator: grey_noise(images, generator, levels=values[0])
    if name == "round":
        rounding = Rounding(GREY_LEVELS + 1, BOUNDS)
        return lambda images, _: rounding.transform(images, None)
    degrees, translate, scale = values
    return lambda images, generator: random_affine(images, generator, degrees=degrees, translate=translate, scale=scale)
