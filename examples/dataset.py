"""A dataset: noisy gratings of a few orientations, made by formula.

advlab --plugin examples/dataset.py dataset=gratings model=lenet model.classes=4 run.preset=tiny
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

import advlab

#: class -> (rows, columns), the direction in which its wave runs
DIRECTIONS = {"horizontal": (1, 0), "vertical": (0, 1), "rising": (1, 1), "falling": (1, -1)}


@advlab.dataset("gratings")
def gratings(
    split: str,
    *,
    count: Annotated[int, Ge(1)] = 1000,
    side: Annotated[int, Ge(6)] = 28,
    cycles: Annotated[int, Ge(1)] = 4,
    noise: Annotated[float, Ge(0)] = 0.1,
    seed: Annotated[int, Ge(0)] = 0,
) -> tuple[Any, Any, list[str]]:
    """Sine waves of four orientations and random phases, in Gaussian noise; the class is the orientation.

    Args:
        split: train or test, which share no random numbers.
        count: images of a split.
        side: height and width in pixels.
        cycles: waves an image, along each axis that they run along.
        noise: standard deviation, of pixels in [0, 1]; the wave's amplitude is .4.
        seed: of phases, labels and noise.

    Returns:
        (N, side, side) images in [0, 1], (N,) labels, and the names of the classes.
    """
    generator = np.random.default_rng([seed, ("train", "test").index(split)])
    labels = generator.integers(len(DIRECTIONS), size=count)
    waves = np.array(list(DIRECTIONS.values()))[labels] * 2 * np.pi * cycles / side  # (N, 2), radians a pixel
    row, column = np.mgrid[:side, :side]
    phases = generator.uniform(0, 2 * np.pi, size=(count, 1, 1))
    angle = waves[:, 0, None, None] * row + waves[:, 1, None, None] * column + phases
    images = 0.5 + 0.4 * np.sin(angle) + noise * generator.standard_normal(angle.shape)
    return images.clip(0, 1), labels, list(DIRECTIONS)
