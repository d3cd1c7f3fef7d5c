"""Workers that are processes of this machine: one a GPU, or as many as are asked for on the CPU."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
from distributed.deploy.spec import SpecCluster

from advlab.cluster import Local
from advlab.config.run_options import RunParams
from advlab.engine.workers.environment import PRELOAD, dashboard
from advlab.errors import ConfigError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def local_processes(cluster: Local, run: RunParams) -> Iterator[Any]:
    """Processes of this machine, reachable from it alone.

    Raises:
        ConfigError: there are fewer GPUs than workers.
    """
    security = distributed.Security.temporary()
    gpus = visible_gpus(run.device)
    if gpus and cluster.workers > len(gpus):
        raise ConfigError(
            f"cluster.workers={cluster.workers}: this machine has {len(gpus)} GPUs, one for each worker: type "
            f"cluster.workers={len(gpus)}, or run.device=cpu"
        )
    common = {"host": "127.0.0.1", "protocol": "tls", "security": security, "nthreads": 1, "memory_limit": 0,
              "preload": [PRELOAD], "dashboard": False, "silence_logs": logging.CRITICAL}  # fmt: skip
    workers = {
        number: {
            "cls": distributed.Nanny,
            "options": {**common, "env": {"CUDA_VISIBLE_DEVICES": gpus[number]} if gpus else {}},
        }
        for number in range(cluster.workers)
    }
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"host": "127.0.0.1", "protocol": "tls", "security": security, **dashboard(cluster)},
    }
    with SpecCluster(
        workers, scheduler, security=security, silence_logs=logging.CRITICAL, name="advlab"
    ) as processes:  # fmt: skip
        if cluster.dashboard:
            log.info("dashboard: %s", processes.dashboard_link)
        try:
            yield processes
        finally:
            processes.sync(end_at_once, processes)


async def end_at_once(processes: Any) -> None:
    """Kill the workers, for which Dask would wait some seconds each: the runner has what it wants, and a kill harms no write."""
    for nanny in processes.workers.values():
        nanny.close_gracefully()  # and no other is started in its place
        if nanny.process is not None and nanny.process.process is not None:
            await nanny.process.process.kill()


def no_driver() -> bool:
    """Whether this machine surely has no GPU for torch, so that this process need not load torch to ask it."""
    if sys.platform != "linux" or "torch" in sys.modules or Path("/dev/kfd").exists():  # kfd: AMD's
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return True
    return False


def visible_gpus(device: str) -> list[str]:
    """What names each GPU of this machine to a process, as CUDA_VISIBLE_DEVICES does; none where the run takes the CPU.

    Raises:
        ConfigError: one GPU is named, where each worker takes another.
    """
    if device in ("cpu", "mps") or (device == "auto" and no_driver()):
        return []
    if ":" in device:
        raise ConfigError(f"run.device={device}: each worker has a GPU of its own: type run.device=cuda")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[:count] if named else [str(number) for number in range(count)]
