"""What stands for a defense that is not fitted yet, in a dry run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advlab.defenses.base import Bounds, Defense
from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import LogitsFunction, Stage


@dataclass(frozen=True, kw_only=True)
class Unfitted(Defense):
    """Has the traits of a defense and changes no image, so that a plan counts the same forwards.

    Attributes:
        of: the defense.
    """

    of: Defense

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        return [Unchanged(self.of)]

    def archived(self) -> dict[str, Any]:
        """The parameters of the defense."""
        return self.of.archived()

    @property
    def label(self) -> str:
        """That of the defense."""
        return self.of.label


class Unchanged(Stage):
    """No change, with the traits of a defense: where that rejects, one more logit, far below the others."""

    def __init__(self, defense: Defense) -> None:
        super().__init__()
        self.differentiable, self.random, self.rejects = defense.differentiable, defense.random, defense.rejects

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`."""
        logits = network(x)
        return torch.cat([logits, logits.amin(1, keepdim=True) - 1], 1) if self.rejects else logits
