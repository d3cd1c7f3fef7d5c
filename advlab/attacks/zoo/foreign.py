"""Attacks from elsewhere: those of other libraries by name, and a user's own function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from advlab.attacks.zoo.base import Attack, Norm


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

    method = "advlab.attacks.library:library"
    targeted = "optional"
    minimal = False
    library: Literal["foolbox", "torchattacks", "art"] = "foolbox"
    attack: str = "L2DeepFoolAttack"
    options: dict[str, Any] = field(default_factory=dict)
    norm: Norm = "l2"
    epsilon: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ForeignAttack(Attack):
    """A user's own attack, registered by a plug-in (`advlab.attack`), which derives a class for its traits.

    Attributes:
        function: takes a model, images (n, C, H, W) and labels (n,), and returns images; not archived.
        passes: which of `targets` and `bounds` it takes besides.
        norm: in which `distance` is given.
        options: its own keyword parameters.
    """

    method = "advlab.attacks.foreign:foreign"
    function: ClassVar[Callable[..., Any]]
    passes: ClassVar[frozenset[str]] = frozenset()
    norm: ClassVar[Norm] = "l2"
    options: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """What is archived."""
        return dict(self.options)
