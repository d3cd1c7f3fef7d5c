"""The defenses of the sweeps: one technique of table 2 at a time, from weak to strong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from advlab.defenses import Blur, Crops, Defense, Noise, Shift

GREY_LEVELS = 255


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
