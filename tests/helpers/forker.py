"""Processes of the command line that start within milliseconds: forked from one in which all is imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.commands import Ended

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

    def until(self, condition: Callable[[], object], seconds: float = 300) -> None:
        """Wait until something is to be seen while the process runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"nothing was seen: {self.err.read_text()}"
            time.sleep(0.005)

    def wait(self, seconds: float = 300) -> Ended:
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill(signal.SIGKILL)
                raise AssertionError(f"still running: {self.err.read_text()}")
            time.sleep(0.01)
        return Ended(code, self.out.read_text(), self.err.read_text())


class Forker:
    """The process that forks.

    What it forks has its environment, which is today's without Slurm's variables, and what `start` adds.

    Args:
        folder: where its program is written.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environment |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        program = folder / "forker.py"
        program.write_text(FORKER)
        self.process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=self.environment,
        )  # fmt: skip

    def ask(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(
        self, arguments: Sequence[str], *, cwd: Path, out: Path, err: Path, env: Mapping[str, str], before: str = ""
    ) -> Started:
        """Start `advlab` in a folder, after a piece of Python that knows `os`; `out` and `err` take what it prints."""
        order = {
            "arguments": list(arguments), "env": dict(env), "cwd": str(cwd), "before": before, "out": str(out),
            "err": str(err),
        }  # fmt: skip
        pid: int = self.ask(order)
        return Started(pid, self.ask, out, err)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(100)
