"""OpenMax beside pytorch-ood's: time of 10,000 rows of logits, the same labels, and the same probability of being unknown."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable

import torch
from torch import Tensor

import advlab
from advlab.open_set.openmax import fit_open_set, openmax_logits
from benchmarks.report import Ratio, Report, in_turn, ratio

ROWS, TRAINING, CLASSES = 10_000, 10_000, 10
TAIL, ALPHA = 25, 10  # pytorch-ood's defaults
TRANSLATION = 10_000.0  # which pytorch-ood does not let one choose


def run(report: Report, *, repeats: int, images: int) -> None:
    """Normal logits around a centre for each class, half of the rows from all over space, on the CPU; 0: 3 repeats, 10,000 rows."""
    rows = images or ROWS
    training, labels = drawn(TRAINING, seed=0)
    x, _ = drawn(rows, seed=1)
    x[::2] = torch.randn(len(x[::2]), CLASSES, generator=torch.Generator().manual_seed(2)) * 8
    model = fit_open_set(
        training, labels, labels, classes=CLASSES, tail_size=TAIL, distance="euclidean", translation=TRANSLATION
    )
    sides: dict[str, Callable[[], Tensor]] = {
        "advlab": lambda: openmax_logits(x, model.exceeded(x), alpha=ALPHA).softmax(1),
    }
    version = advlab.__version__
    try:
        sides["pytorch-ood"] = theirs(training, labels, x)
        version += f"; pytorch-ood {importlib.metadata.version('pytorch-ood')}"
    except ImportError as error:
        version += f"; pytorch-ood not run: {error}"
    results = {name: call() for name, call in sides.items()}
    seconds = in_turn(dict(sides), repeats or 3)
    title = f"OpenMax, {rows} rows of {CLASSES} logits"
    report.tables[title] = [{"side": name, "ms": 1000 * min(values)} for name, values in seconds.items()]
    report.facts[title] = f"advlab {version}; {torch.get_num_threads()} threads"
    faster = spread = apart = torch.nan
    differing = -1
    if "pytorch-ood" in sides:
        faster, spread = ratio(seconds, "pytorch-ood", "advlab")
        ours, other = results["advlab"].double(), results["pytorch-ood"].roll(-1, 1)  # which puts unknown first
        apart = float((ours - other).abs().max())
        differing = int((ours.argmax(1) != other.argmax(1)).sum())
    report.ratios += [
        Ratio(title, "pytorch-ood's time over ours", faster, spread, "at least 100", faster >= 100),
        Ratio(title, "largest difference from pytorch-ood's p", apart, 0.0, "at most .002", apart <= 0.002),
        Ratio(title, "labels that differ", float(differing), 0.0, "0", differing == 0),
    ]


def drawn(n: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """(n, K) float32 logits that are largest at their class, and (n,) classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=generator)
    logits = 2 * torch.randn(n, CLASSES, generator=generator)
    return logits + 12 * torch.nn.functional.one_hot(labels, CLASSES), labels


def theirs(training: Tensor, labels: Tensor, x: Tensor) -> Callable[[], Tensor]:
    """pytorch-ood's probabilities (n, 1 + K), unknown first.

    Raises:
        ImportError: it is not installed.
    """
    numpy_openmax = importlib.import_module("pytorch_ood.detector.openmax.numpy")
    detector = numpy_openmax.OpenMax(tailsize=TAIL, alpha=ALPHA, euclid_weight=1.0)
    detector.fit(training.double().numpy(), labels.numpy())
    rows = x.double().numpy()
    return lambda: torch.from_numpy(detector.predict(rows))
