"""Lengths in pixels that images are too small for."""

from __future__ import annotations

import pytest
import torch

from advlab.defenses import Blur, Combined, Crops, Defense, Resample, RescaleCrops, Shift
from advlab.errors import ArgumentError


@pytest.mark.parametrize(
    ("fitting", "too_large", "said"),
    [
        (
            Shift(pixels=7),
            Shift(pixels=9),
            "shift: pixels=9 is too large for images of 8 x 12 pixels, .*: take at most 7",
        ),
        (Combined(pixels=7), Combined(pixels=8), "shift: pixels=8 .* 8 x 12 .*: take at most 7"),
        (
            Blur(sigma=8.0),
            Blur(sigma=8.5),
            "blur: sigma=8.5 is too large for images of 8 x 12 pixels, .*: take at most 8",
        ),
        (Crops(pad=7), Crops(pad=8), "crops: pad .*=8 is too large for images of 8 x 12 pixels, .*: take at most 7"),
        (Crops(grid=14), Crops(grid=14, spacing=1.5), "crops: pad .*=10.5 .* 8 x 12 .*: take at most 7"),
        (RescaleCrops(pixels=7), RescaleCrops(pixels=8), "rescale_crops: pixels=8 .* 8 x 12 .*: take at most 7"),
        (Resample(size=8), Resample(size=9), "resample: size=9 is larger than the images, 8 x 12: take at most 8"),
    ],
)
def test_lengths_that_images_are_too_small_for_are_refused(fitting: Defense, too_large: Defense, said: str) -> None:
    x = torch.rand(3, 1, 8, 12)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(96, 4))
    assert fitting(network)(x).shape == (3, 4)
    with pytest.raises(ArgumentError, match=said):
        too_large(network)(x)
