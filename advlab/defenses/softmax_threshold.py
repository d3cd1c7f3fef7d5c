"""Rejection of what the network is not sure of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class SoftmaxThreshold(Defense):
    """Images are rejected where no class's softmax probability is above a threshold (gunther2017, section 1).

    The paper says of it: "Thresholding on uncertainty is not sufficient to determine what is unknown".

    Attributes:
        threshold: probability.
    """

    rejects = True
    threshold: Annotated[float, Gt(0), Lt(1)] = 0.9

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.open_set import ThresholdStage  # loads torch

        return [ThresholdStage(self.threshold)]
