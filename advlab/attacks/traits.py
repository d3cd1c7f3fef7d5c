"""What an attack declares of itself, and how its algorithm is found; torch is imported only when an attack is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge

if TYPE_CHECKING:  # these load torch, and every attack is declared without it
    from torch import Tensor

    from advlab.attacks.problem import Problem
    from advlab.attacks.results import AlgorithmResult


@dataclass(frozen=True, kw_only=True)
class AttackTraits:
    """What the call of an attack, the contract suite and the experiments must know of it.

    The algorithm of an attack whose hyperparameters stand in `params.py` is the function `run` of the `algorithm.py` beside
    it, which is imported, with torch, when the attack is called.

    Class attributes:
        targeted: never, optional or always takes targets.
        minimal: looks for the smallest perturbation in its norm; otherwise its length is given.
        set_level: finds one perturbation for all images together; otherwise each image's result is its own.
        needs_correct: attacks only images that are classified as their label.
        extra_inputs: names of further tensors that the call takes.
        needs_first_gradient: needs one gradient at each image itself, that of `first_cotangent` . logits. It is computed
            by the same forward that checks the images (`Problem.first_gradients`).
        sees_rejection: is handed a reject output as one more class, the last; otherwise its logits are those of the classes
            alone, and the label's stands for the rejection as well (`advlab.attacks.rejection`).
        version: raised when the algorithm gives other images: a run that began with another version is not resumed.

    Attributes:
        draws: of a random defense, over which logits and gradients are averaged (EOT, Athalye et al. 2018, section 4.2);
            each returned image is judged on as many further draws. Other networks ignore it. A gradient needs the memory of
            all draws of an image at once: take fewer where not even one image fits.
    """

    targeted: ClassVar[Literal["never", "optional", "always"]] = "never"
    minimal: ClassVar[bool] = True
    set_level: ClassVar[bool] = False
    needs_correct: ClassVar[bool] = True
    extra_inputs: ClassVar[tuple[str, ...]] = ()
    needs_first_gradient: ClassVar[bool] = False
    sees_rejection: ClassVar[bool] = False
    version: ClassVar[int] = 1
    draws: Annotated[int, Ge(1)] = 10

    @classmethod
    def algorithm(cls) -> Any:
        """The module `algorithm` beside the module `params` that declares this class or the nearest of its bases.

        Raises:
            TypeError: no base stands in a `params.py`: such a class must override `run`.
        """
        for base in cls.__mro__:
            package, _, module = base.__module__.rpartition(".")
            if module == "params":
                return importlib.import_module(f"{package}.algorithm")
        raise TypeError(f"{cls.__name__} has no algorithm.py beside its params.py: override `run`")

    def run(self, problem: Problem) -> AlgorithmResult:
        """The algorithm on the eligible images."""
        result: AlgorithmResult = self.algorithm().run(problem, self)
        return result

    def first_cotangent(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """(n, K) what the logits (n, K) at the images are multiplied by in `Problem.first_gradients`."""
        cotangent: Tensor = self.algorithm().first_cotangent(self, logits, labels, targets)
        return cotangent

    @property
    def label(self) -> str:
        """Its name in messages."""
        return type(self).__name__

    @property
    def norm_name(self) -> str:
        """The norm in which `AttackResult.distance` is given: its `norm`, or linf."""
        return str(getattr(self, "norm", "linf"))

    def achieved(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """(N,) bool: whether images with these logits are what the attack is after."""
        from advlab.attacks.logits import margin  # loads torch

        return margin(logits, labels, self.goal(targets)) > 0

    def goal(self, targets: Tensor | None) -> Tensor | None:
        """(N,) classes that count as success; None: any but the label."""
        return targets


def in_grey_levels(epsilon: float) -> str:
    """What to type where a length was probably meant in grey levels of 0 to 255.

    >>> in_grey_levels(8.0), in_grey_levels(300.0)
    ('. 8 of 255 grey levels are epsilon=0.0313725', ': type at most 1')
    """
    return f". {epsilon:g} of 255 grey levels are epsilon={epsilon / 255:.6g}" if epsilon <= 255 else ": type at most 1"
