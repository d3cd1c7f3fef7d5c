"""The last step of the paper's preprocessing: "all pixels are converted to integral values in [0,255]" (section 2.2)."""

from __future__ import annotations

import dataclasses
from typing import Any

from advlab.config.components import NoComponent
from advlab.defenses import Chain, Combined, Defense, Noise, Round
from advlab.defenses.combined import Integers


def followed_by_integers(defense: Defense | NoComponent, how: Integers) -> Any:
    """The defense with its results in whole grey levels; of `none`, itself.

    Args:
        defense: as it is listed.
        how: nearest or zero, as of `Round`; none: neither rounded nor clipped.
    """
    if isinstance(defense, NoComponent):
        return defense
    if isinstance(defense, Combined):
        return dataclasses.replace(defense, integers=how)
    if how == "none":
        return dataclasses.replace(defense, clip=False) if isinstance(defense, Noise) else defense
    members = defense.of if isinstance(defense, Chain) else (defense,)
    if members[-1].rejects:
        return Chain(of=(*members[:-1], Round(towards=how), members[-1]))
    return Chain(of=(*members, Round(towards=how)))
