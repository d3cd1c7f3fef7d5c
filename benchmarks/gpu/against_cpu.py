"""Tables of experiments on the device beside the CPU's: same network, images and directions, stated tolerances."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from advlab import testing
from advlab.models.forward import Execution, Forward, set_precision
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.trained import trained_lenet
from benchmarks.report import Ratio, Report

CPU = torch.device("cpu")
DIFFERING = 0.01  # share of the rows whose whole numbers and words may differ: a score at the boundary falls either way

SPHERE = {"probe.radii": [0.1, 1.0, 5.0, 10.0], "probe.noise": "portable", "probe.floor_samples": 2}


class Compared(NamedTuple):
    """How one experiment's tables are compared.

    Attributes:
        options: of the experiment, beside those of the probe.
        tolerance: of every column of numbers: the largest difference over the column's largest magnitude.
        left_out: columns that say what rounding does, which differs from device to device.
        steep: column -> its own tolerance, where a small difference of another column is a larger one of this.
    """

    options: dict[str, Any]
    tolerance: float
    left_out: tuple[str, ...] = ()
    steep: Mapping[str, float] = MappingProxyType({})


class Far(NamedTuple):
    """The column that differs most, by its tolerance: the order of these tuples."""

    share: float
    distance: float
    tolerance: float
    column: str


# Scores are softmax values of logits that float32 gives to some 1e-6 of their size; quotients of differences of features
# lose two or three digits at the smallest radius, and so do second derivatives.
TABLES = {
    "isotropy": Compared({}, 1e-4, ("noise_floor",)),
    # p = 2 (1 - Phi(|r| / sd)) falls by up to 0.8 / sd where r rises by 1, and sd, Mantel's r under permutations, is .027 or more
    # here: r, at most .22, may differ by 2.2e-4, and p by 30 times as much. Two of the CPU's own convolutions differ by .002 in p.
    "topology": Compared({"experiment.test": "normal"}, 1e-3, ("rounding",), {"p_value": 7e-3}),
    "lipschitz": Compared({}, 1e-3),
    "gradient_isotropy": Compared({}, 1e-3),
}


def run(name: str, report: Report, setting: Setting) -> None:
    """One experiment, on the CPU and on the device."""
    set_precision("float32")
    classifier, x, y = trained_lenet()
    samples = setting.sized(8, 4)
    options = {**SPHERE, "probe.trials": setting.sized(50, 10), **TABLES[name].options}
    tables = []
    for device in (CPU, setting.device):
        forward = Forward(copy.deepcopy(classifier).to(device), Execution(256, "contiguous", "float32"))
        ctx = testing.context(name, forward, x[:samples], y[:samples], options, samples=range(samples))
        tables.append(testing.measured(ctx))
    compare(report, name, f"{name} of lenet", *tables)


def compare(report: Report, name: str, title: str, cpu: Any, other: Any) -> None:
    """A line of the report for the numbers of two tables, and one for their whole numbers and words; see `Compared`."""
    compared, unequal = TABLES[name], 0.0
    far = Far(0.0, 0.0, compared.tolerance, "")
    if list(cpu.columns) != list(other.columns) or len(cpu) != len(other):
        raise ValueError(f"{name}: the tables have other shapes: {cpu.shape} and {other.shape}")
    for name_of_column in cpu.columns.difference(compared.left_out):
        a, b = cpu[name_of_column].to_numpy(), other[name_of_column].to_numpy()
        if a.dtype.kind == "f":
            distance = deviation(a.astype(np.float64), b.astype(np.float64))
            tolerance = compared.steep.get(name_of_column, compared.tolerance)
            far = max(far, Far(distance / tolerance, distance, tolerance, f" ({name_of_column})"))
        else:
            unequal = max(unequal, float(np.mean(a != b)))
    quantity = "largest difference, in parts of a column's largest value" + (far.column if far.distance else "")
    title = f"{title}, {len(cpu)} rows"
    report.ratios += [
        Ratio(title, quantity, far.distance, 0.0, f"at most {far.tolerance:g}", far.distance <= far.tolerance),
        Ratio(
            title, "share of the rows whose whole numbers differ", unequal, 0.0, f"at most {DIFFERING:g}", unequal <= DIFFERING
        ),
    ]  # fmt: skip


def deviation(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| / max |a|; infinite where one alone is not finite."""
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = np.abs(a[finite]).max()
    return float(np.abs(a[finite] - b[finite]).max() / (scale or 1.0))
