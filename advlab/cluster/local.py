"""`cluster=local`, or short `run.workers=N`: processes of this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Interval, Lt

from advlab.cluster.base import Cluster


@dataclass(frozen=True, kw_only=True)
class Local(Cluster):
    """Processes of this machine: one a GPU where the run's device is one, else with `run.threads` threads each."""

    workers: Annotated[int, Interval(ge=1, le=1024)] = (
        2  # processes; of a run on GPUs at most as many as there are GPUs
    )
    patience: Annotated[float, Gt(0), Lt(math.inf)] = 120.0

    @property
    def wanted(self) -> int:
        """How many workers are asked for."""
        return self.workers
