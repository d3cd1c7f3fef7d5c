"""Facts about the program, the machine and the cluster job that a run belongs to, for the manifest."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]  # the name is that of a module

PACKAGES = (
    "advlab",
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "hydra-core",
    "omegaconf",
    "safetensors",
)
OF_NETWORKS = ("timm", "robustbench", "transformers")  # named where a network was made by them


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    installed = {"python": platform.python_version()}
    for package in (*PACKAGES, *(name for name in OF_NETWORKS if name in sys.modules)):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def git_state() -> dict[str, Any]:
    """Commit and dirty flag of the checkout that this package runs from; empty for an installed wheel."""
    folder = Path(__file__).resolve().parents[2]  # of advlab/engine/provenance.py
    if not (folder / ".git").exists():
        return {}

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def job_id() -> str:
    """The cluster job this process belongs to (it stays the same when Slurm requeues the job); empty outside of one."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID", "")
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    return f"{job}_{task}" if job and task else job


def requeued() -> bool:
    """Whether Slurm has started this job before."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes (0 where the system does not tell)."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
