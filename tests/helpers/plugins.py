"""The text of a user's own model, dataset and experiment, and a short run of them."""

from __future__ import annotations

from pathlib import Path

NET = """
from __future__ import annotations
from typing import TYPE_CHECKING
import advlab
if TYPE_CHECKING:
    from torch import nn

@advlab.model("tiny_net", input_shape=(1, 8, 8), dataset="blobs")
def tiny_net(width: int = 4, *, depth: int = 1, note: str = "") -> nn.Module:
    '''A network of one to three layers.'''
    import torch
    from torch import nn
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(64, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 2))
"""
BLOBS = """
import advlab
import numpy as np

@advlab.dataset("blobs")
def blobs(split: str, count: int = 24):
    '''Dark and bright images.'''
    rng = np.random.default_rng({"train": 1, "test": 0}[split])
    y = rng.integers(0, 2, count)
    x = rng.random((count, 8, 8)) * 0.2 + y[:, None, None] * 0.7
    return x, y, ["<img src=x onerror=alert(1)>", "=cmd|' /C calc'!A0, \\n../../etc"]
"""
EXPERIMENT = """
from dataclasses import dataclass
import advlab
from advlab.lab import Cell, Cost, Experiment

@dataclass(frozen=True)
class Line:
    index: int
    square: float

@advlab.experiment
class Squares(Experiment):
    '''Squares of whole numbers: needs no network.'''
    name = "squares"
    paper = "none, figure 0"
    title = "Squares"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params:
        count: int = 3  # how many

    def cells(self, ctx):
        return [Cell(f"n-{i}", {"i": i}) for i in range(self.params.count)]

    def measure(self, ctx, cell):
        return [Line(cell.payload["i"], float(cell.payload["i"] ** 2))]

    def cost(self, ctx):
        '''Nothing.'''
        return Cost()

    def claims(self, table):
        return []

    def plot(self, table):
        from matplotlib.figure import Figure
        figure = Figure()
        figure.subplots().plot(table["index"], table["square"])
        return figure
"""
SHORT = ("run.preset=tiny", "probe.trials=4", "probe.radii=[1]", "probe.confidence=0", "run.batch_size=8")
RUN_FOLDER = "outputs/isotropy/blobs-tiny_net/v001"


def write(folder: Path, text: str, name: str = "plug.py") -> str:
    """Write a plug-in file and return its path."""
    path = folder / name
    path.write_text("import advlab\n" + text)
    return str(path)
