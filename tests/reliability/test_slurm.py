"""A training that Slurm takes its node from goes on when the job is started again. Runs where Slurm is (`sbatch`)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# a checkpoint after each step; the first time that the job is started, it stops after the seventh
PLUGIN = """
import os, signal
from advlab.store.checkpoints import CheckpointFolder
from advlab.training import resumption

write = CheckpointFolder.write

def stopping(self, step, *state):
    write(self, step, *state)
    if step == 7 and os.environ.get("SLURM_JOB_ID") and "SLURM_RESTART_COUNT" not in os.environ:
        os.kill(os.getpid(), signal.SIGSTOP)

CheckpointFolder.write = stopping
resumption.MOST_OF_THE_TIME = 0
"""

OPTIONS = [
    "experiment=isotropy", "model=mlp", "model.input=[3,8,8]", "model.classes=2", "model.hidden=[7]", "dataset=folder",
    "recipe=lenet_digits", "recipe.epochs=4", "recipe.batch_size=8", "recipe.augment=['crop:1','flip','pgd_linf:0.1,0.05,2']",
    "run.preset=tiny", "run.image_memory=0", "run.checkpoint_seconds=1e-9", "run.device=cpu", "probe.confidence=0",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _slurm() -> None:
    if shutil.which("sbatch") is None or subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode:
        pytest.skip("there is no Slurm here that answers")
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("jobs of several tests at once: make test-slurm")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty small images in two classes, and the plug-in."""
    rng = np.random.default_rng(0)
    for number in range(80):
        path = tmp_path / "images" / ("train", "test")[number % 2] / "ab"[number // 2 % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


def command(folder: Path, cache: Path, *more: str) -> list[str]:
    plugin, roots = str(folder / "plugin.py"), [f"run.cache_root={cache}", f"dataset.root={folder / 'images'}"]
    return [sys.executable, "-m", "advlab", "--plugin", plugin, *OPTIONS, *roots, *more]


def slurm(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()


def state(job: str) -> str:
    """Such as PENDING, RUNNING or COMPLETED."""
    return slurm("scontrol", "show", "job", job).partition("JobState=")[2].split()[0]


def until(condition: Callable[[], object], job: str) -> None:
    """Wait for something that a job does."""
    while not condition():
        assert state(job) in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED")
        time.sleep(0.3)


def weights(cache: Path) -> bytes:
    (path,) = cache.glob("weights/[0-9a-f]*/arrays.safetensors")
    return path.read_bytes()


def test_a_requeued_job_goes_on_with_its_training(folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, broken, said = folder / "whole", folder / "broken", folder / "job.txt"
    line = command(folder, broken, f"run.output_root={folder / 'of the job'}")
    options = ["--parsable", "--requeue", "--open-mode=append", "--ntasks=1", f"--output={said}", f"--chdir={folder}"]
    script = f"#!/bin/sh\nexec {shlex.join(line)}\n"
    sent = subprocess.run(
        ["sbatch", *options], input=script, env=environment, check=True, capture_output=True, text=True
    )
    job = sent.stdout.strip().partition(";")[0]
    try:
        until(lambda: list(broken.rglob("step-000000000007/state.json")), job)
        slurm("scontrol", "requeue", job)
        until(lambda: state(job) == "PENDING", job)
        slurm("scontrol", "update", f"jobid={job}", "StartTime=now")  # it would wait for two minutes
        until(lambda: state(job) == "COMPLETED", job)
    finally:
        subprocess.run(["scancel", job], check=False)
    assert "training goes on after step 7 of 20" in said.read_text(encoding="utf-8")
    subprocess.run(command(folder, whole), check=True, env=environment, cwd=folder, capture_output=True)
    assert weights(broken) == weights(whole)
