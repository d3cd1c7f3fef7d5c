"""The time that is left of a run, from the units that were made in this process, stages apart from cells."""

from __future__ import annotations

import pytest

from advlab.engine.measuring import Measuring
from advlab.engine.units import CELL, STAGE


def measuring(cells: list[float], stages: list[float], ready: set[str]) -> Measuring:
    """After cells and stages that took so many seconds; `ready` are those that were made or kept."""
    made: Measuring = object.__new__(Measuring)
    made._seconds, made._ready, made.cells = {CELL: cells, STAGE: stages}, ready, CELLS
    return made


CELLS: dict[str, tuple[str, ...]] = {f"c{i}": ("s",) for i in range(4)}


@pytest.mark.parametrize(
    ("cells", "stages", "ready", "left"),
    [
        ([1.0, 3.0], [120.0], {"s"}, 8.0),  # its one stage took two minutes, and is not made again
        ([1.0, 3.0], [], {"s"}, 8.0),  # it was kept from before
        ([1.0, 3.0], [10.0], {"r"}, 18.0),  # another is to be made
        ([1.0, 3.0], [10.0], {"r", "q"}, 13.0),  # one of two was kept, and so will be half of the others
    ],
)
def test_stages_are_counted_apart_from_cells(
    cells: list[float], stages: list[float], ready: set[str], left: float
) -> None:
    assert measuring(cells, stages, ready).seconds_left(list(CELLS)) == pytest.approx(left)


def test_nothing_is_left_after_the_last_cell() -> None:
    assert measuring([5.0], [100.0], {"s"}).seconds_left([]) == 0
