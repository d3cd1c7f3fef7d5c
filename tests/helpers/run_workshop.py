"""Starts runs of a toy network in processes of their own, which a test kills, races or starves."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.commands import Ended
from tests.helpers.forker import Forker, Started

# A linear network on noise of 8 x 8 pixels that it classifies correctly, one sample a cell; faults come from the
# environment, which is no part of the configuration.
TOY = '''
import os, signal, time
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
import advlab
from advlab.experiments.aghdam2017 import isotropy, spheres

spheres.CELL_VALUES = 1
measure = isotropy.Isotropy.measure

def observed(self, ctx, cell):
    if os.environ.get("TOY_STOP") == cell.id:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(float(os.environ.get("TOY_SLEEP", 0)))
    if os.environ.get("TOY_DEFECT") == cell.id:
        raise RuntimeError("a defect of the program")
    rows = measure(self, ctx, cell)
    if "TOY_LOG" in os.environ:
        with open(os.environ["TOY_LOG"], "a") as file:
            file.write(cell.id + "\\n")
    return rows

isotropy.Isotropy.measure = observed
isotropy.Isotropy.plot = lambda self, table: Figure()  # a figure takes longer than all the rest

def weights(sign=1.0):
    return sign * np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)

@advlab.dataset("toy_data")
def toy_data(split: str, count: int = 60):
    images = np.random.default_rng(1).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    images[0] ^= int(os.environ.get("TOY_BRIGHTER", 0))
    labels = (images.reshape(count, 64) / 255 @ weights().T).argmax(1)
    return images, labels, list("abcd")

class Toy(nn.Module):
    def __init__(self, nan_above):
        super().__init__()
        self.nan_above = nan_above
        self.linear = nn.Linear(64, 4, bias=False)
        self.linear.weight.data = torch.from_numpy(weights())
        self.linear.weight.data[0, 0] += float(os.environ.get("TOY_WEIGHT", 0))

    def forward(self, x):
        if len(x) > int(os.environ.get("TOY_MEMORY", 10**9)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        logits = self.linear(x.flatten(1))
        return torch.where((x.amax((1, 2, 3)) > self.nan_above)[:, None], torch.nan, logits)

@advlab.model("toy", input_shape=(1, 8, 8), classes=4, dataset="toy_data")
def toy(nan_above: float = 1e9):
    """A linear network."""
    return Toy(nan_above)
'''


class Workshop:
    """Starts runs in a folder."""

    def __init__(self, folder: Path, forker: Forker) -> None:
        self.folder = folder
        self.forker = forker
        self.plugin = folder / "toy.py"
        self.plugin.write_text(TOY)
        self.environment = {**forker.environment, "ADVLAB_CACHE": str(folder / "cache")}
        self.count = 0

    def start(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Started:
        """Start `advlab` with the plug-in; `root` is the output root."""
        self.count += 1
        out, err = self.folder / f"{self.count}.out", self.folder / f"{self.count}.err"
        for path in (out, err):
            path.touch()
        line = ["--plugin", str(self.plugin), *arguments, *([f"run.output_root={root}"] if root is not None else [])]
        named = {**self.environment, **{key: str(value) for key, value in env.items()}}
        return self.forker.start(line, cwd=self.folder, out=out, err=err, env=named, before=before)

    def run(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Ended:
        return self.start(*arguments, root=root, before=before, **env).wait()
