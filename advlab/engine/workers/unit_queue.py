"""Which unit of a run can be carried out next: cells in their order, each after the stages that it needs.

Nothing here knows of Dask. Each step costs the logarithm of the number of units at most.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advlab.engine.units import CELL, STAGE


@dataclass
class UnitQueue:
    """The units that are missing of a run, of which `take` gives those that wait for nothing.

    Args:
        cells: ids of the cells to measure, in their order.
        stages_of: id of a cell -> ids of the stages that it needs.

    Attributes:
        stages_done: ids of the stages that are in the cache.
    """

    cells: Sequence[str]
    stages_of: Mapping[str, Sequence[str]]
    stages_done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Put in line what waits for nothing."""
        self._ready: list[tuple[int, str]] = []  # a heap of (place in the order, unit)
        self._waiting: dict[str, set[str]] = {}  # unit -> ids of the stages that it waits for
        self._awaited: dict[str, list[str]] = {}  # id of a stage -> units that wait for it
        self._place: dict[str, int] = {}
        self._known: set[str] = set()  # stages that were put in line, are in work or done
        for place, cell_id in enumerate(self.cells):
            self._put(f"{CELL}:{cell_id}", self.stages_of[cell_id], place)

    def take(self) -> str | None:
        """The next unit that waits for nothing, `cell:ID` or `stage:ID`; None while all others wait or are in work."""
        return heapq.heappop(self._ready)[1] if self._ready else None

    def stage_done(self, stage_id: str) -> None:
        """Note that a stage is in the cache: what waited for it alone can be taken."""
        self.stages_done.add(stage_id)
        for unit in self._awaited.pop(stage_id, ()):
            waits = self._waiting[unit]
            waits.discard(stage_id)
            if not waits:
                del self._waiting[unit]
                heapq.heappush(self._ready, (self._place[unit], unit))

    def stage_lacks(self, stage_id: str, lacks: Sequence[str]) -> None:
        """Note that a stage could not be made before others are there: it is taken again after them.

        Raises:
            ValueError: those that it lacks are done, so that it would be tried without an end.
        """
        done = [other for other in lacks if other in self.stages_done]
        if done:
            raise ValueError(f"the stage {stage_id} lacks {done[0]}, which has been made: the cache is not shared")
        unit = f"{STAGE}:{stage_id}"
        self._put(unit, lacks, self._place[unit])

    def _put(self, unit: str, stages: Sequence[str], place: int) -> None:
        self._place[unit] = place
        waits = {stage_id for stage_id in stages if stage_id not in self.stages_done}
        if not waits:
            heapq.heappush(self._ready, (place, unit))
            return
        self._waiting[unit] = waits
        for stage_id in stages:
            if stage_id in waits:
                self._awaited.setdefault(stage_id, []).append(unit)
                if stage_id not in self._known:
                    self._known.add(stage_id)
                    self._put(f"{STAGE}:{stage_id}", (), place)
