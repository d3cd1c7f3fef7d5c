"""A user's experiment with two stages, which notes what it does, and what it noted."""

from __future__ import annotations

from pathlib import Path

STAGED = '''
import os
from dataclasses import dataclass
import numpy as np
import advlab
from advlab.lab import Cell, Cost, Experiment, RunContext, Stage

def note(text):
    with open(os.environ["STAGES_LOG"], "a") as file:
        file.write(text + "\\n")
    if os.environ.get("STAGES_FAULT") == text:
        raise RuntimeError("a defect of the author's")
    if os.environ.get("STAGES_SLEEP") == text:
        import time
        time.sleep(120)

@dataclass(frozen=True)
class Line:
    index: int
    value: float

@advlab.experiment
class Staged(Experiment[RunContext]):
    """Multiples of what two stages make, the second of them from the first."""
    name = "staged"
    paper = "none, figure 0"
    title = "Stages"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """How many cells, and what the stages begin with."""
        count: int = 3
        start: float = 2.0

    def stages(self, ctx):
        def begin():
            note("begin")
            return {"values": np.full(4, self.params.start)}, {"mean": self.params.start}
        def square():
            note("square")
            return {"values": ctx.stage("begin").arrays["values"] ** 2}, {}
        return [
            Stage("begin", ctx.key(version=1, start=self.params.start), begin, Cost(forwards=10), kind="staged-begin"),
            Stage("square", ctx.key(version=1), square, Cost(backwards=5), kind="staged-square", stages=("begin",)),
        ]

    def cells(self, ctx):
        return [Cell(f"n-{i}", {"i": i}, stages=("square",) if i else ()) for i in range(self.params.count)]

    def measure(self, ctx, cell):
        note(cell.id)
        i = cell.payload["i"]
        return [Line(i, float(ctx.stage("square").arrays["values"].sum()) * i if i else 0.0)]

    def cost(self, ctx):
        """Nothing."""
        return Cost(forwards=1)

    def claims(self, table):
        return []

    def plot(self, table):
        from matplotlib.figure import Figure
        return Figure()
'''
STAGED_RUN = Path("outputs/staged/v001")


def staged_line(folder: Path) -> list[str]:
    """The beginning of a command line that knows the experiment."""
    plugin = folder / "staged.py"
    plugin.write_text(STAGED)
    return ["--plugin", str(plugin), "experiment=staged", "run.cache_root=cache"]


def log(folder: Path) -> list[str]:
    """What stages and cells have noted since it was last asked for."""
    path = folder / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines
