"""Starts runs of a toy network in processes of their own, which a test kills, races or starves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.commands import Ended

# A linear network on noise of 8 x 8 pixels that it classifies correctly, one sample a cell; faults come from the
# environment, which is no part of the configuration.
TOY = '''
import os, time
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
import advlab
from advlab.experiments.aghdam2017 import isotropy, spheres

spheres.CELL_VALUES = 1
measure = isotropy.Isotropy.measure

def observed(self, ctx, cell):
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

# Forks a process for every command line it is told, from one in which torch is imported: a run then starts within
# milliseconds, and a signal at a random moment meets the run rather than the import.
FORKER = """
import json, os, sys
import hydra.utils, hydra._internal.config_loader_impl, hydra._internal.core_plugins.basic_sweeper, hydra._internal.hydra
import matplotlib.backends.backend_agg, matplotlib.backends.backend_pdf, matplotlib.figure, pandas, safetensors.numpy
import torch, torch.utils.flop_counter
import advlab.cli.main, advlab.cli.describe, advlab.cli.launch, advlab.lab.run_context
import advlab.lab.network_loading, advlab.models.fastest_batch
import advlab.plotting.draw
import advlab.probes.selection, advlab.probes.sweep, advlab.engine.runner, advlab.training.loop

def child(order):
    for descriptor, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["cwd"])
    os.environ.update(order["env"])
    sys.argv = ["advlab", *order["arguments"]]
    code = 1
    try:
        exec(order["before"], {"os": os})
        advlab.cli.main.main(order["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    order = json.loads(line)
    if "arguments" in order:
        pid = os.fork()
        if pid == 0:
            child(order)
        answer = pid
    else:
        done, status = os.waitpid(order["pid"], os.WNOHANG)
        answer = os.waitstatus_to_exitcode(status) if done else None
    print(json.dumps(answer), flush=True)
"""


@dataclass
class Started:
    """A process of the forker."""

    pid: int
    ask: Callable[[dict[str, Any]], Any]
    out: Path
    err: Path
    code: int | None = None

    def poll(self) -> int | None:
        """The exit code, as often as one asks; None while it runs."""
        if self.code is None:
            self.code = self.ask({"pid": self.pid})
        return self.code

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is to be seen while the process runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"nothing was seen: {self.err.read_text()}"
            time.sleep(0.005)

    def wait(self, seconds: float = 100) -> Ended:
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill(signal.SIGKILL)
                raise AssertionError(f"still running: {self.err.read_text()}")
            time.sleep(0.01)
        return Ended(code, self.out.read_text(), self.err.read_text())


class Workshop:
    """Starts runs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = folder / "toy.py"
        self.plugin.write_text(TOY)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ADVLAB_CACHE": str(folder / "cache"), "MPLBACKEND": "agg"}
        for name in [name for name in environment if name.startswith("SLURM_")]:
            del environment[name]
        self.environment = environment
        (folder / "forker.py").write_text(FORKER)
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "forker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        self.count = 0

    def ask(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Started:
        """Start `advlab` with the plug-in; `root` is the output root."""
        self.count += 1
        out, err = self.folder / f"{self.count}.out", self.folder / f"{self.count}.err"
        for path in (out, err):
            path.touch()
        line = ["--plugin", str(self.plugin), *arguments, *([f"run.output_root={root}"] if root is not None else [])]
        order = {
            "arguments": line, "env": {key: str(value) for key, value in env.items()}, "cwd": str(self.folder),
            "before": before, "out": str(out), "err": str(err),
        }  # fmt: skip
        pid: int = self.ask(order)
        return Started(pid, self.ask, out, err)

    def run(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Ended:
        return self.start(*arguments, root=root, before=before, **env).wait()
