"""Measures sides in turn and reports ratios of their medians, with the machine's facts."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Ratio:
    """One line: a ratio of two times or another number, and what is aimed at."""

    workload: str
    quantity: str
    value: float  # NaN: not run
    spread: float  # largest minus smallest ratio over the repeats
    aim: str
    reached: bool

    @property
    def cells(self) -> list[str]:
        """As a line of the table."""
        if math.isnan(self.value):
            return [self.workload, self.quantity, "-", "-", self.aim, "not run"]
        shown = [f"{self.value:.3f}", f"{self.spread:.3f}"]
        return [self.workload, self.quantity, *shown, self.aim, "yes" if self.reached else "no"]


@dataclass
class Report:
    """Everything measured in one run."""

    ratios: list[Ratio] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # title to rows with the same columns
    facts: dict[str, Any] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """For the JSON file."""
        ratios = [asdict(ratio) for ratio in self.ratios]
        return {"machine": machine(), "ratios": ratios, "tables": self.tables, "facts": self.facts}

    def table(self) -> str:
        """As Markdown."""
        lines = [f"Measured on {', '.join(f'{key} {value}' for key, value in machine().items())}.", ""]
        lines += markdown(
            ["workload", "quantity", "measured", "spread", "aim", "reached"], [r.cells for r in self.ratios]
        )
        for title, rows in self.tables.items():
            lines += [
                "",
                f"**{title}**",
                "",
                *markdown(list(rows[0]), [[shown(v) for v in row.values()] for row in rows]),
            ]
        lines += ["", *(f"- {name}: {value}" for name, value in self.facts.items())]
        return "\n".join(lines)


def markdown(columns: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def shown(value: object) -> str:
    """A value in a table: four digits, and nothing for NaN."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def in_turn(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each side: a warm-up of all, then one measurement of each in turn, `repeats` times."""
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], over: str, under: str) -> tuple[float, float]:
    """Median of the ratios of measurements made in the same turn, and their spread."""
    each = [a / b for a, b in zip(seconds[over], seconds[under], strict=True)]
    return statistics.median(each), max(each) - min(each)


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    facts: dict[str, Any] = {"torch": torch.__version__, "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    facts["processor"] = processor()
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def processor() -> str:
    """Name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_flops(device: Any, precision: str = "float32", sizes: tuple[int, ...] = (1024, 2048, 4096)) -> float:
    """Floating-point operations a second of the fastest matrix product found on the device.

    Args:
        device: of torch.
        precision: float32 and tf32 as `advlab.models.forward.set_precision` has set them; bf16: operands in bfloat16.
        sizes: of the square matrices.
    """
    dtype, best = torch.bfloat16 if precision == "bf16" else torch.float32, 0.0
    for size in sizes:
        a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
        out = torch.empty(size, size, device=device, dtype=dtype)
        torch.mm(a, b, out=out)
        for _ in range(5):
            synchronise(device)
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            synchronise(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def note_peak_memory(report: Report, title: str, device: Any, call: Callable[[], object]) -> None:
    """Add what `call` allocates at most on a CUDA device, with what lay there before; on others nothing."""
    if device.type != "cuda":
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    call()
    report.facts[f"peak memory, {title}"] = f"{torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB"


def synchronise(device: Any) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
