"""The constants of normalisation against numpy, and of a channel that is constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from advlab.training.normalisation import normalisation
from advlab.training.recipe import Recipe

RECIPE = Recipe(name="test", epochs=1)


def test_normalisation_against_numpy() -> None:
    images = torch.randint(0, 256, (50, 3, 6, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    x = images.numpy().astype(np.float64) / 255

    mean, std = normalisation(replace(RECIPE, normalise="standard"), images)
    assert mean.shape == std.shape == (3, 1, 1)
    np.testing.assert_allclose(mean.numpy().ravel(), x.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std.numpy().ravel(), x.std(axis=(0, 2, 3)), rtol=1e-6)

    mean, std = normalisation(replace(RECIPE, normalise="caffe"), images)
    normalised = (torch.from_numpy(x) - mean) / std
    np.testing.assert_allclose(normalised.numpy(), images.numpy() / 256, atol=1e-6)

    mean, std = normalisation(replace(RECIPE, normalise="mean_image"), images)
    assert mean.shape == (3, 6, 5)
    normalised = (torch.from_numpy(x) - mean) / std
    pixels = images.numpy().astype(np.float64)
    np.testing.assert_allclose(normalised.numpy(), pixels - pixels.mean(axis=0), atol=1e-4)


def test_normalisation_of_a_constant_channel() -> None:
    mean, std = normalisation(RECIPE, torch.full((4, 1, 2, 2), 51, dtype=torch.uint8))
    assert mean.item() == pytest.approx(0.2)
    assert std.item() == 1


@pytest.mark.parametrize("normalise", ["standard", "caffe", "mean_image"])
def test_floats_are_normalised_as_the_grey_levels_that_they_are(normalise: str) -> None:
    images = torch.randint(0, 256, (50, 3, 6, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    recipe = replace(RECIPE, normalise=normalise)  # type: ignore[arg-type]
    for of_bytes, of_floats in zip(
        normalisation(recipe, images), normalisation(recipe, images.float() / 255), strict=True
    ):
        torch.testing.assert_close(of_floats, of_bytes)
    with pytest.raises(ValueError, match=r"float32 in \[0, 1\]"):
        normalisation(recipe, images.double())
