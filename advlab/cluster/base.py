"""What every cluster has: how long to wait for a worker, Dask's dashboard, and what workers may differ in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Lt

from advlab.config.ranges import InRange
from advlab.errors import ArgumentError

WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]*")  # stands in a line of a job's script, and must not end it


@dataclass(frozen=True, kw_only=True)
class Cluster(InRange):
    """Processes that carry out the stages and cells of a run; the process that was started hands them out and writes."""

    patience: Annotated[float, Gt(0), Lt(math.inf)] = 300.0  # seconds without any worker, after which the run ends
    dashboard: bool = False  # Dask's page of what each worker does, on this machine alone
    mixed: bool = (
        False  # workers with other devices than the plan was made on, or other packages, may join: no equal bytes then
    )

    def check(self) -> None:
        """Refuse what lacks something, once all is typed.

        Raises:
            ArgumentError: names the field.
        """

    @property
    def wanted(self) -> int:
        """How many workers are asked for; 0 where others decide."""
        return 0


def check_words(cluster: Cluster, *names: str) -> None:
    """Refuse texts that a line of a job's script cannot hold as one word; an empty one is left out of it.

    Raises:
        ArgumentError: names the field.
    """
    for name in names:
        value = getattr(cluster, name)
        if value and not WORD.fullmatch(value):
            raise ArgumentError(
                f"{name} must be one word of letters, digits, '_', '.', ',', ':', '@', '+' and '-', got {value!r}"
            )
