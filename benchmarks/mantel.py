"""Mantel's test at the size of the paper's figure, beside scikit-bio's: time a matrix, and the same p."""

from __future__ import annotations

import importlib
import importlib.metadata
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import advlab
from advlab.metrics.distances import pairwise_distances, squareform
from advlab.metrics.mantel import mantel_test
from advlab.metrics.mantel_moments import mantel_normal
from advlab.metrics.topology import AlphaSolver
from benchmarks.report import Ratio, Report

POINTS, PERMUTATIONS, FIGURE, SECONDS = 100, 999, 300 * 21, 60.0  # of the figure: samples x radii, and its time
INPUTS, OUTPUTS = 784, 500  # of the network whose points these could be
THEIRS = 10  # matrices that scikit-bio is given: it takes them one by one
UNIT = "ms a matrix"


def run(report: Report, *, repeats: int, images: int) -> None:
    """Random directions and their images under a random linear map, on the CPU; 0: 3 repeats, 168 matrices."""
    repeats, count = repeats or 3, images or 8 * 21
    v = 2 * torch.rand(count, POINTS, INPUTS, generator=torch.Generator().manual_seed(0)) - 1
    v /= v.norm(dim=-1, keepdim=True)
    features = v @ torch.randn(v.shape[-1], OUTPUTS)
    d_in, d_out = pairwise_distances(v), pairwise_distances(features)
    sides: dict[str, tuple[int, Callable[[], Any]]] = {
        "mantel_test": (count, lambda: mantel_test(d_in, d_out)),
        "mantel_test, 21 matrices": (min(21, count), lambda: mantel_test(d_in[:21], d_out[:21])),
        "mantel_normal": (count, lambda: mantel_normal(d_in, d_out)),
        f"distances, D = {INPUTS}": (count, lambda: pairwise_distances(v)),
        "eq 7, two maps": (count, lambda: both(d_in, d_out)),
    }
    few = min(THEIRS, count)
    try:
        version = f"{advlab.__version__}; scikit-bio {importlib.metadata.version('scikit-bio')}"
        matrices = [[squareform(d[:few])[i].numpy() for d in (d_in, d_out)] for i in range(few)]
        sides["scikit-bio"] = (few, theirs(matrices))
    except ImportError as error:
        version = f"{advlab.__version__}; scikit-bio not run: {error}"
    measured, results = measure(sides, repeats)
    title = f"Mantel, {POINTS} points, {PERMUTATIONS} permutations"
    report.tables[title] = [
        {
            "side": name, "matrices": sides[name][0], f"wall, {UNIT}": statistics.median(wall),
            "spread": max(wall) - min(wall), f"CPU, {UNIT}": statistics.median(cpu),
        }
        for name, (wall, cpu) in measured.items()
    ]  # fmt: skip
    report.facts[title] = f"advlab {version}; {torch.get_num_threads()} threads; wall clock counts what else runs"
    shares = [ms * FIGURE / 1000 / SECONDS for ms in measured["mantel_test"][0]]
    share, spread = statistics.median(shares), max(shares) - min(shares)
    report.ratios.append(Ratio(title, f"{FIGURE} matrices, share of 60 s", share, spread, "at most 1", share <= 1))
    ratio = spread = apart = torch.nan
    if "scikit-bio" in measured:
        each = [a / b for a, b in zip(measured["scikit-bio"][0], measured["mantel_test"][0], strict=True)]
        ratio, spread = statistics.median(each), max(each) - min(each)
        mine: Tensor = results["mantel_test"].p[:few]
        apart = float((mine - torch.tensor(results["scikit-bio"], dtype=mine.dtype)).abs().max())
    report.ratios.append(Ratio(title, "scikit-bio's time over ours", ratio, spread, "at least 3", ratio >= 3))
    report.ratios.append(Ratio(title, "largest difference from scikit-bio's p", apart, 0.0, "0", apart == 0))


def both(d_in: Tensor, d_out: Tensor) -> None:
    """As topology does for the network and the random map: D_in factorised once."""
    alpha = AlphaSolver(d_in)
    alpha(d_out)
    alpha(d_out)


def theirs(matrices: list[list[Any]]) -> Callable[[], list[float]]:
    """scikit-bio's p of every pair, for the same permutations.

    Raises:
        ImportError: it is not installed.
    """
    distance = importlib.import_module("skbio.stats.distance")
    pairs = [[distance.DistanceMatrix(matrix) for matrix in pair] for pair in matrices]
    return lambda: [distance.mantel(a, b, permutations=PERMUTATIONS, seed=0)[1] for a, b in pairs]


def measure(
    sides: dict[str, tuple[int, Callable[[], Any]]], repeats: int
) -> tuple[dict[str, tuple[list[float], list[float]]], dict[str, Any]]:
    """Milliseconds a matrix, wall clock and processor, of each side in turn after a warm-up; and what each gave."""
    results = {name: call() for name, (_, call) in sides.items()}
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in sides}
    for _ in range(repeats):
        for name, (count, call) in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            times[name][0].append(1000 * (time.perf_counter() - wall) / count)
            times[name][1].append(1000 * (time.process_time() - cpu) / count)
    return times, results
