"""Hyperparameters of an attack of foolbox, torchattacks, ART or adv-lib, called by its name there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge

from advlab.attacks.base import Attack, Norm
from advlab.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Library(Attack):
    """An attack of foolbox, torchattacks, ART or adv-lib by its name there, clipped, classified again and counted.

    Needs `pip install "advlab[peers]"`, and for adv_lib `pip install --no-deps adv-lib`.

    Attributes:
        library: foolbox, torchattacks, art or adv_lib.
        attack: name of the class, such as L2DeepFoolAttack, AutoAttack or CarliniL2Method; of adv_lib's function, such as ddn.
        options: its arguments there, in the library's units (images in [0, 1]), as in attack.options.steps=50; what is not
            named has the library's default. Greek letters of adv_lib are written out: gamma, epsilon.
        options_for: the attack that the options of a YAML file are meant for; empty: whichever is called.
        norm: in which `distance` is given.
        epsilon: radius for foolbox's attacks of fixed length; 0: none.
        seed: of what the attack draws, with the images of a batch.
    """

    targeted = "optional"
    minimal = False
    version = 2
    library: Literal["foolbox", "torchattacks", "art", "adv_lib"] = "foolbox"
    attack: str = "L2DeepFoolAttack"
    options: dict[str, Any] = field(default_factory=dict)
    options_for: str = ""
    norm: Norm = "l2"
    epsilon: Annotated[float, Ge(0)] = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range, and options that are another attack's.

        Raises:
            ArgumentError: names the remedy.
        """
        super().__post_init__()
        if self.options and self.options_for not in ("", self.attack):
            raise ArgumentError(
                f"the options {self.options} are for {self.options_for}, not for {self.attack}: "
                f"type attack=library attack.library={self.library} attack.attack={self.attack}"
            )
