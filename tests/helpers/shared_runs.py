"""A user's experiment whose units do what a test asks for (die, raise, sleep), run by a real process on workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers.commands import Ended

SHARED_EXPERIMENT = '''
import json, os, signal, threading, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import advlab
from advlab.errors import MeasurementError
from advlab.lab import Cell, Cost, Experiment, RunContext, Stage

FOLDER = Path(os.environ["SHARED_FOLDER"])

def act(unit):
    """Note who carries out a unit, and do what is asked of it: once, or always."""
    with open(FOLDER / "log", "a") as file:
        file.write(f"{unit} {os.getpid()}\\n")
    order = FOLDER / f"order-{unit}"
    while (FOLDER / f"hold-{unit}").exists():
        time.sleep(0.01)
    if not order.exists():
        return None
    what = order.read_text()
    if not what.startswith("always "):
        order.unlink()
    what = what.removeprefix("always ")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise RuntimeError("a defect of the author's")
    if what == "refuse":
        raise MeasurementError("nothing qualifies: take more samples")
    if what == "end":
        raise SystemExit(3)
    return threading.Lock() if what == "give a lock" else None

@dataclass(frozen=True)
class Line:
    index: int
    value: float

@advlab.experiment
class Shared(Experiment[RunContext]):
    """Multiples of what two stages make, the second of them from the first."""
    name = "shared"
    paper = "none, figure 0"
    title = "Units on workers"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """How many cells, how long each takes, and what the stages begin with."""
        count: int = 6
        seconds: float = 0.05
        start: float = 2.0

    def stages(self, ctx):
        def begin():
            act("begin")
            return {"values": np.full(4, self.params.start)}, {}
        def square():
            act("square")
            return {"values": ctx.stage("begin").arrays["values"] ** 2}, {}
        return [
            Stage("begin", ctx.key(version=1, start=self.params.start), begin, kind="shared-begin"),
            Stage("square", ctx.key(version=1), square, kind="shared-square", stages=("begin",)),
        ]

    def cells(self, ctx):
        return [Cell(f"n-{i}", {"i": i}, stages=("square",) if i % 2 else ()) for i in range(self.params.count)]

    def measure(self, ctx, cell):
        time.sleep(self.params.seconds)
        given = act(cell.id)
        i = cell.payload["i"]
        ctx.keep_file(f"kept-{i}.txt", str(i).encode())
        value = float(ctx.stage("square").arrays["values"].sum()) * i if i % 2 else 0.1 * i
        return [Line(i, value if given is None else given)]

    def cost(self, ctx):
        """Nothing."""
        return Cost(forwards=1)

    def claims(self, table):
        return []

    def plot(self, table):
        from matplotlib.figure import Figure
        return Figure()
'''


class Shared:
    """Runs of the experiment in one folder.

    Args:
        folder: of the test.

    Attributes:
        run: the directory of the first run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "outputs/shared/v001"
        self.started, self._number = 0, dict[int, int]()
        self.plugin = folder / "shared.py"
        self.plugin.write_text(SHARED_EXPERIMENT)
        self.environment = {**os.environ, "SHARED_FOLDER": str(folder), "ADVLAB_CACHE": str(folder / "cache")}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command line in a process of its own; its output goes to files."""
        self.started += 1
        with open(self.folder / f"out{self.started}", "w") as out, open(self.folder / f"err{self.started}", "w") as err:
            line = [sys.executable, "-m", "advlab", "--plugin", str(self.plugin), *words]
            process = subprocess.Popen(line, cwd=self.folder, stdout=out, stderr=err, env=self.environment, text=True)
        self._number[process.pid] = self.started
        return process

    def ended(self, process: subprocess.Popen[str], timeout: float = 120) -> Ended:
        """Wait for a process."""
        code, number = process.wait(timeout), self._number[process.pid]
        return Ended(code, *((self.folder / f"{name}{number}").read_text() for name in ("out", "err")))

    def call(self, *words: str) -> Ended:
        """Run a command line."""
        return self.ended(self.start(*words))

    def measure(self, *words: str) -> Ended:
        """Run the experiment."""
        return self.call("experiment=shared", *words)

    def order(self, unit: str, what: str) -> None:
        """Let a unit do something the next time (`die`), or each time (`always die`)."""
        (self.folder / f"order-{unit}").write_text(what)

    def hold(self, unit: str) -> Callable[[], None]:
        """Let a unit wait; gives what lets it go."""
        path = self.folder / f"hold-{unit}"
        path.write_text("")
        return path.unlink

    def log(self) -> list[str]:
        """The units that were begun since the last call, in order."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    def pids(self) -> list[int]:
        """The processes that have begun units, without taking them out of the log."""
        path = self.folder / "log"
        return [int(line.split()[1]) for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self) -> dict[str, int]:
        """Unit -> the process that has begun it last, without taking them out of the log."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    def until(self, holds: Callable[[], Any], seconds: float = 60) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, [path.read_text() for path in self.folder.glob("err*")]
            time.sleep(0.02)

    def table(self) -> str:
        """The table of the first run."""
        return (self.run / "table.csv").read_text()

    def manifest(self) -> dict[str, Any]:
        """The manifest of the first run."""
        content: dict[str, Any] = json.loads((self.run / "manifest.json").read_text())
        return content


def shared_table(count: int = 6, start: float = 2.0) -> str:
    """The table that the experiment must give."""
    return "index,value\n" + "".join(f"{i},{(4 * start**2 * i) if i % 2 else 0.1 * i!r}\n" for i in range(count))


def is_alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
