"""Techniques of table 2 by their strength: those of the sweeps, from weak to strong, and those that networks are trained under."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from advlab.defenses import Blur, Crops, Defense, Noise, Shift
from advlab.errors import ArgumentError

GREY_LEVELS = 255
PLAIN = "plain"  # a network that is trained under no perturbation
UNCHANGED = "none"  # images that are shown without one


@dataclass(frozen=True)
class Setting:
    """One strength of one technique.

    Attributes:
        sweep: shift, blur, noise, crops or half-pixel crops.
        name: of the technique, as it is typed.
        strength: in the sweep's own unit.
        defense: with that strength.
        forwards: that an image takes.
    """

    sweep: str
    name: str
    strength: float
    defense: Defense
    forwards: int = 1

    @property
    def augmentation(self) -> list[str]:
        """The same for a recipe, in whole grey levels (`advlab.training.recipe_text`); of shift, blur and noise."""
        name = {"noise": "grey_noise"}.get(self.sweep, self.sweep)
        return [f"{name}:{self.strength:g}", *([] if name == "shift" else ["round"])]


def setting_of(text: str) -> Setting:
    """What is typed as shift:PIXELS, blur:SIGMA or noise:GREY_LEVELS.

    Raises:
        ArgumentError: it is anything else.

    >>> setting_of("noise:4").augmentation, setting_of("shift:2").defense
    (['grey_noise:4', 'round'], Shift(pixels=2, seed=0))
    """
    name, _, number = text.partition(":")
    try:
        strength = float(number)
    except ValueError:
        strength = 0.0  # is refused below, as a number out of range is
    if not 0 < strength < math.inf or name not in ("shift", "blur", "noise") or (name == "shift" and strength % 1):
        raise ArgumentError(
            f"perturbations must be shift:PIXELS (a whole number), blur:SIGMA or noise:GREY_LEVELS, above 0, got {text!r}"
        )
    defense = Blur(sigma=strength) if name == "blur" else Noise(sigma=strength / GREY_LEVELS)
    return Setting(name, name, strength, Shift(pixels=int(strength)) if name == "shift" else defense)


def settings_of_sweeps(params: Any) -> list[Setting]:
    """All settings, sweep by sweep; what is "stronger" in a sweep comes later.

    Args:
        params: of `PreprocessingStrength`.
    """
    settings = [Setting("shift", "shift", pixels, Shift(pixels=pixels)) for pixels in sorted(params.shifts)]
    settings += [Setting("blur", "blur", sigma, Blur(sigma=sigma)) for sigma in sorted(params.sigmas)]
    settings += [
        Setting("noise", "noise", levels, Noise(sigma=levels / GREY_LEVELS)) for levels in sorted(params.noises)
    ]
    for sweep, spacing in (("crops", 1.0), ("half-pixel crops", 0.5)):
        settings += [
            Setting(sweep, "crops", grid**2, Crops(grid=grid, spacing=spacing), grid**2)
            for grid in sorted(params.grids)
        ]
    return settings
