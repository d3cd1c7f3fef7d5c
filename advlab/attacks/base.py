"""The base class of all attacks: the call, and what it costs; torch is imported only when an attack is called.

Every length among the hyperparameters (epsilon, step, resolution) is in units of the bounds' length: .1 is a tenth of the
pixel range, whatever the pixel unit. Images are clipped to the bounds unless an attack says otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from advlab.attacks.traits import AttackTraits, in_grey_levels
from advlab.config.radius import radius_of_other_norm
from advlab.config.ranges import InRange
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every attack is declared without it
    from torch import Tensor

    from advlab.attacks.results import AttackResult

Norm = Literal["l2", "linf"]
Arithmetic = Literal["exact", "float32"]  # of the loss's gradient, see `metrics.loss_gradient.cross_entropy_direction`


@dataclass(frozen=True, kw_only=True)
class Attack(InRange, AttackTraits):
    """An attack: its hyperparameters are its fields, images and labels come in the call."""

    def __post_init__(self) -> None:
        """Refuse values out of range, a radius above 1 in L-infinity, which no two images are apart, and that of another norm.

        The default of `epsilon` is meant in the default norm: in another one, `epsilon` is to be given.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        defaults: dict[str, Any] = {
            field.name: field.default for field in dataclasses.fields(self) if field.name in ("norm", "epsilon")
        }
        if len(defaults) == 2 and defaults["norm"] != self.norm_name:
            default = defaults["epsilon"]
            if default and getattr(self, "epsilon", None) == default:
                raise ArgumentError(radius_of_other_norm(default, self.norm_name, defaults["norm"]))
        epsilon, largest = getattr(self, "epsilon", 0.0), max(1.0, getattr(self, "largest", 1.0))
        if self.norm_name == "linf" and epsilon > largest:
            raise ArgumentError(
                f"epsilon={epsilon:g} is longer than any change of an image: pixels lie in [0, 1]{in_grey_levels(epsilon)}"
            )

    def __call__(
        self,
        model: Callable[[Tensor], Tensor],
        inputs: Tensor,
        labels: Tensor,
        *,
        targets: Tensor | None = None,
        bounds: tuple[float, float] = (0.0, 1.0),
        batch_size: int = 0,
        **data: Tensor,
    ) -> AttackResult:
        """Attack (N, C, H, W) images inside `bounds`; see `advlab.attacks.interface.run_attack`."""
        from advlab.attacks.interface import run_attack  # loads torch

        return run_attack(self, model, inputs, labels, targets=targets, bounds=bounds, batch_size=batch_size, **data)

    def check_classes(self, classes: int) -> None:
        """Refuse hyperparameters that make no sense for a network of so many classes, before it is loaded.

        Raises:
            ArgumentError: names the hyperparameter.
        """

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """About how many forwards and backwards an image takes, for the dry plan; without the checks before and after."""
        steps = int(getattr(self, "max_iter", getattr(self, "steps", 10))) * int(getattr(self, "restarts", 1))
        return steps, steps
