"""What the environment of a worker process holds before it starts, and who decides how many threads it has."""

from __future__ import annotations

import os
from typing import Any

from advlab.cluster import Cluster, JobQueue, Local
from advlab.config.run_options import RunParams
from advlab.plugins.loading import VARIABLE

#: Dask lets glibc give memory back to the system at every free, which halves the speed of torch on a CPU
ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PRELOAD = "advlab.engine.workers.preload"  # the module that a worker process loads first
DASHBOARD, LOOPBACK = "127.0.0.1:8787", "127.0.0.1:0"
PASSED_ON = (VARIABLE, "ADVLAB_DATA", "ADVLAB_CACHE", "XDG_CACHE_HOME")  # that a job of a batch system may not inherit


def threads_of(cluster: Cluster, run: RunParams) -> int:
    """Threads of one worker: `run.threads`, else the cores of a job, or a share of this machine's."""
    if run.threads:
        return run.threads
    if isinstance(cluster, JobQueue):
        return cluster.cores
    return max(1, cores() // cluster.wanted) if isinstance(cluster, Local) else 1


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_environment(cluster: Cluster, run: RunParams) -> dict[str, str]:
    """Variables of a worker: the allocator's, those of the numerical libraries, plug-ins and roots.

    Threads that the user has set in the environment stay, unless `run.threads` is typed.
    """
    threads = str(threads_of(cluster, run))
    libraries = {name: threads if run.threads else os.environ.get(name, threads) for name in THREADS}
    spinning = {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000")}
    passed_on = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    return {**ALLOCATOR, **libraries, **spinning, **passed_on}


def dashboard(cluster: Cluster) -> dict[str, Any]:
    """The scheduler's options about Dask's page, which is served on request and to this machine alone.

    The server behind it asks for no certificate and is always there: otherwise it listens on the loopback too, and `pages`
    leaves it nothing to say.
    """
    return {"dashboard": cluster.dashboard, "dashboard_address": DASHBOARD if cluster.dashboard else LOOPBACK}


def pages(cluster: Cluster) -> dict[str, Any]:
    """Dask's settings of what scheduler and workers serve over HTTP: nothing, but for a dashboard that is asked for."""
    return {"distributed.worker.http.routes": []} | (
        {} if cluster.dashboard else {"distributed.scheduler.http.routes": []}
    )
