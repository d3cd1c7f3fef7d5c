"""The first step: which card, driver and versions, and the card's peaks, against which shares are given."""

from __future__ import annotations

import functools
import shutil
import subprocess
import time

import torch

from advlab.models.forward import set_precision
from benchmarks.gpu.setting import Setting
from benchmarks.report import Report, machine, peak_flops, synchronise

PRECISIONS = ("float32", "tf32", "bf16")
QUERY = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm", "--format=csv,noheader"]


def run(report: Report, setting: Setting) -> None:
    """Facts of the machine, FLOP/s of matrix products in each precision, and bytes a second of a copy."""
    report.facts |= {name: str(value) for name, value in machine().items()}
    report.facts |= {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
    report.facts["nvidia-smi"] = "not asked: the device is pretended" if setting.pretend else nvidia_smi()
    for precision in PRECISIONS:
        report.facts[f"peak, {precision}"] = f"{peak(setting, precision) / 1e12:,.1f} TFLOP/s"
    report.facts["copy on the device"] = f"{copied(setting) / 1e9:,.0f} GB/s, read and written"


def nvidia_smi() -> str:
    """Name, driver, memory and clocks of the card, or why it does not say."""
    if shutil.which(QUERY[0]) is None:
        return "not here"
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer: {error}"
    return (done.stdout or done.stderr).strip().replace("\n", "; ")


@functools.cache
def peak(setting: Setting, precision: str) -> float:
    """FLOP/s of the fastest matrix product in a precision, measured once a process."""
    set_precision(precision)
    sizes = (256,) if setting.trial else (4096, 8192)
    try:
        return peak_flops(setting.device, precision, sizes)
    finally:
        set_precision("float32")


def copied(setting: Setting, repeats: int = 5) -> float:
    """Bytes a second of a copy from memory to memory of the device, those read and those written."""
    source = torch.rand(setting.sized(1 << 29, 1 << 20), device=setting.device)
    target = torch.empty_like(source)
    target.copy_(source)
    synchronise(setting.device)
    start = time.perf_counter()
    for _ in range(repeats):
        target.copy_(source)
    synchronise(setting.device)
    return 2 * repeats * source.numel() * source.element_size() / (time.perf_counter() - start)
