"""A plug-in for `benchmarks.workers`: an experiment of as many cells as are asked for, which do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import advlab
from advlab.lab import Cell, Cost, Experiment, RunContext


@dataclass(frozen=True)
class Nothing:
    """A row."""

    index: int


@advlab.experiment
class ManyUnits(Experiment[RunContext]):
    """Cells that do nothing, so that what is left is what handing out, taking back and writing take."""

    name = "many_units"
    paper = "none, figure 0"
    title = "Units that do nothing"
    uses = ()
    Row = Nothing

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """How many."""

        count: int = 1000

    def cells(self, ctx: RunContext) -> list[Cell]:
        return [Cell(f"n-{index}", {"index": index}) for index in range(self.params.count)]

    def measure(self, ctx: RunContext, cell: Cell) -> list[Nothing]:
        return [Nothing(cell.payload["index"])]

    def cost(self, ctx: RunContext) -> Cost:
        """Nothing."""
        return Cost()

    def claims(self, table: Any) -> list[Any]:
        return []

    def plot(self, table: Any) -> Any:
        from matplotlib.figure import Figure

        return Figure()
