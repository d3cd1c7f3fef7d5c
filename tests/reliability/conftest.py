"""Runs of a toy in processes of their own, to be killed, raced and damaged, and what must be found afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from advlab.store.run_directory import RunDirectory

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
import advlab.cli.main, advlab.cli.describe, advlab.cli.launch, advlab.lab.context, advlab.lab.loading, advlab.models.tuning
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
# nothing is kept: each run is to measure for itself
RUN = [
    "model=toy", "probe.radii=[0.1,1,10]", "probe.trials=20", "probe.samples=25", "probe.confidence=0",
    "probe.keep=false", "run.batch_size=60", "run.device=cpu",
]  # fmt: skip
FAMILY = "isotropy/toy_data-toy"


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal that killed it."""

    code: int
    out: str
    err: str


@dataclass
class Started:
    """A process of the forker."""

    pid: int
    poll: Callable[[], int | None]
    out: Path
    err: Path

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
        return Started(pid, lambda: self.ask({"pid": pid}), out, err)

    def run(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Ended:
        return self.start(*arguments, root=root, before=before, **env).wait()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    made = Workshop(tmp_path_factory.mktemp("workshop"))
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(20)


@pytest.fixture(scope="session")
def reference(workshop: Workshop) -> RunDirectory:
    """An uninterrupted run."""
    ended = workshop.run(*RUN, root=workshop.folder / "reference")
    assert ended.code == 0, ended.err
    return RunDirectory(workshop.folder / "reference" / FAMILY / "v001")


@pytest.fixture(scope="session")
def table(reference: RunDirectory) -> bytes:
    return reference.table_path.read_bytes()


def version(root: Path, number: int = 1) -> RunDirectory:
    return RunDirectory(root / FAMILY / f"v{number:03d}")


def cells(run: RunDirectory) -> list[Path]:
    return sorted((run.path / "cells").glob("*.csv"))


def snapshot(run: RunDirectory) -> dict[str, tuple[int, int, bytes]]:
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        str(p.relative_to(run.path)): (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in sorted(files)
    }


def clean(text: str) -> None:
    """Nothing that a user should not see."""
    assert "Traceback" not in text, text
    assert "Logging error" not in text, text
    assert "\r" not in text


def complete(ended: Ended, run: RunDirectory, table: bytes) -> None:
    assert ended.code == 0, ended.err
    clean(ended.out + ended.err)
    assert run.table_path.read_bytes() == table
    assert run.finished()
    assert run.damaged() == []
    assert list(run.path.rglob("*.tmp")) == []


@pytest.fixture
def begun(workshop: Workshop, tmp_path: Path) -> RunDirectory:
    """A run that was killed after some cells."""
    started = workshop.start(*RUN, root=tmp_path, TOY_SLEEP=0.02)
    started.until(lambda: len(cells(version(tmp_path))) >= 5)
    started.kill(signal.SIGKILL)
    assert started.wait().code == -signal.SIGKILL
    assert len(cells(version(tmp_path))) < 25
    return version(tmp_path)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 2
    path.write_bytes(data)


@pytest.fixture
def copied(reference: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A complete run, to be damaged."""
    run = version(tmp_path)
    run.path.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(reference.path), str(run.path)], check=True)
    return run
