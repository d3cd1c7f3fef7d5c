"""The experiments on spheres against their forward-only floor, and isotropy against a plain loop."""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from advlab.engine.device import choose_device
from advlab.engine.network_cost import flops_and_speed
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import set_precision
from advlab.store.artifacts import ArtifactStore
from benchmarks.random_network import context, forward_only
from benchmarks.report import Ratio, Report, in_turn, note_peak_memory, peak_flops, ratio, synchronise


def run(report: Report, *, repeats: int, images: int) -> None:
    """Lenet at 28x28 everywhere; vgg16 at 224x224 with random weights on a GPU; 0: 5 repeats, 50 images."""
    repeats, images = repeats or 5, images or 50
    device = choose_device("auto")
    aim = 1.10 if device.type == "cpu" else 1.05
    workload(report, "lenet", (1, 28, 28), 10, images, repeats, device, aim)
    if device.type == "cuda":
        workload(report, "vgg16", (3, 224, 224), 1000, max(1, images // 10), repeats, device, aim)


def run_shared(report: Report, *, repeats: int, images: int) -> None:
    """Topology and lipschitz on lenet and on the larger ciresan, without what is not of the sweep: the permutation test and
    the Jacobians."""
    repeats, images = repeats or 5, images or 50
    device = choose_device("auto")
    for name in ("topology", "lipschitz"):
        shared(report, name, "lenet", (1, 28, 28), 10, images, repeats, device)
        shared(report, name, "ciresan", (3, 48, 48), 43, max(1, images // 25), repeats, device)


def shared(
    report: Report,
    experiment: str,
    network: str,
    shape: tuple[int, int, int],
    classes: int,
    images: int,
    repeats: int,
    device: torch.device,
    *,
    aim: float = 1.15,
    batch_size: int = 0,
    radii: Sequence[float] = (),
) -> None:
    """One experiment that keeps the distances: the sweep with them, and the reductions."""
    set_precision("float32")
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(
            network, shape, classes, images, device, Path(folder), experiment, batch_size=batch_size, radii=radii
        )
        execution, probe = ctx.execution, ctx.settings.probe
        count = images * len(probe.radii) * probe.trials
        rounds = itertools.count()

        def ours() -> None:
            ctx.artifacts = ArtifactStore(Path(folder) / str(next(rounds)))  # an empty cache each time
            for cell in ctx.settings.experiment.cells(ctx):
                ctx.settings.experiment.measure(ctx, cell)
            synchronise(device)

        title = f"{experiment}, {network}, {images} images x {len(probe.radii)} radii x {probe.trials} trials"
        with frozen(ctx.classifier), torch.inference_mode():
            note_peak_memory(report, title, device, ours)
            seconds = in_turn({"ours": ours, "floor": forward_only(ctx.forward, count)}, repeats)
    value, spread = ratio(seconds, "ours", "floor")
    report.ratios.append(
        Ratio(title, "time over forward-only floor", value, spread, f"at most {aim:.2f}", value <= aim)
    )
    report.facts[title] = (
        f"{', '.join(f'{side} {count / statistics.median(s):,.0f} images/s' for side, s in seconds.items())}; batch "
        f"{execution.batch_size}, {execution.memory_format}"
    )


def workload(
    report: Report,
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    images: int,
    repeats: int,
    device: torch.device,
    aim: float,
    *,
    precision: str = "float32",
    batch_size: int = 0,
    radii: Sequence[float] = (),
    peak: float = 0.0,
    loop: bool = True,
) -> float:
    """One network: ours, the floor and (with `loop`) the plain loop, in turn; gives ours' images a second.

    Args:
        report: is added to.
        name: of the model.
        shape: (C, H, W).
        classes: number of logits.
        images: samples of the sweep.
        repeats: measurements of each side.
        device: where it runs.
        aim: of the time over the floor's.
        precision: float32, tf32 or bf16, of both sides.
        batch_size: 0: the fastest.
        radii: none: the paper's.
        peak: FLOP/s of the device in this precision; 0: it is measured.
        loop: whether the plain loop in numpy and float32 is measured as well.
    """
    set_precision(precision)
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(
            name, shape, classes, images, device, Path(folder), precision=precision, batch_size=batch_size, radii=radii
        )
    execution, forward, classifier = ctx.execution, ctx.forward, ctx.classifier
    probe, experiment = ctx.settings.probe, ctx.settings.experiment
    count = images * len(probe.radii) * probe.trials

    def ours() -> None:
        for cell in experiment.cells(ctx):
            experiment.measure(ctx, cell)
        synchronise(device)

    sides: dict[str, Callable[[], object]] = {"ours": ours, "floor": forward_only(forward, count)}
    if loop:
        plain: Classifier = copy.deepcopy(classifier).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        sides["plain loop"] = lambda: plain_loop(plain, ctx, probe.radii, probe.trials, device)
    title = f"isotropy, {name}, {images} images x {len(probe.radii)} radii x {probe.trials} trials"
    title += "" if precision == "float32" else f", {precision}"
    with frozen(classifier), torch.inference_mode():
        note_peak_memory(report, title, device, ours)
        seconds = in_turn(sides, repeats)
        flops, _ = flops_and_speed(forward)
        peak = peak or peak_flops(device, precision)
    value, spread = ratio(seconds, "ours", "floor")
    report.ratios.append(
        Ratio(title, "time over forward-only floor", value, spread, f"at most {aim:.2f}", value <= aim)
    )
    if loop:
        value, spread = ratio(seconds, "plain loop", "ours")
        report.ratios.append(Ratio(title, "plain numpy loop over ours", value, spread, "at least 3", value >= 3))
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    share = {side: f"{100 * flops * count / median / peak:.0f} %" for side, median in medians.items()}
    report.facts[title] = (
        f"{', '.join(f'{side} {count / s:,.0f} images/s' for side, s in medians.items())}; batch {execution.batch_size}, "
        f"{execution.memory_format}; of the {precision} peak ({peak / 1e9:,.0f} GFLOP/s here) "
        f"ours uses {share['ours']}, the floor {share['floor']}"
    )
    return count / medians["ours"]


def plain_loop(
    classifier: Classifier, ctx: NetworkContext, radii: list[float], trials: int, device: torch.device
) -> list[float]:
    """The plain implementation: a numpy batch of noise for every image and radius, then the range of the scores."""
    generator = np.random.default_rng(0)
    ranges = []
    for index in range(len(ctx.data)):
        x = ctx.data.images(torch.tensor([index]))
        for radius in radii:
            noise = generator.uniform(-1, 1, (trials, math.prod(ctx.data.shape)))
            noise *= radius / np.linalg.norm(noise, axis=1, keepdims=True)
            v = torch.from_numpy(noise.reshape(trials, *ctx.data.shape)).float().to(device)
            scores = torch.softmax(classifier(x + v).double(), 1)[:, 0]
            ranges.append(float(scores.max() - scores.min()))
    return ranges
