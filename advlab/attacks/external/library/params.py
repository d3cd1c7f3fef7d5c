"""Hyperparameters of an attack of foolbox, torchattacks or ART, called by its name there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge

from advlab.attacks.base import Attack, Norm


@dataclass(frozen=True, kw_only=True)
class Library(Attack):
    """An attack of foolbox, torchattacks or ART by its name there, clipped, classified again and counted.

    Needs `pip install "advlab[peers]"`.

    Attributes:
        library: foolbox, torchattacks or art.
        attack: name of the class, such as L2DeepFoolAttack, DeepFool or CarliniL2Method.
        options: its constructor's arguments, in the library's units (images in [0, 1]).
        norm: in which `distance` is given.
        epsilon: radius for foolbox's attacks of fixed length; 0: none.
        seed: of what the attack draws, with the images of a batch.
    """

    targeted = "optional"
    minimal = False
    library: Literal["foolbox", "torchattacks", "art"] = "foolbox"
    attack: str = "L2DeepFoolAttack"
    options: dict[str, Any] = field(default_factory=dict)
    norm: Norm = "l2"
    epsilon: Annotated[float, Ge(0)] = 0.0
    seed: int = 0
