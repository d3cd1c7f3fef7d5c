"""The experiments on spheres against their forward-only floor, and isotropy against a plain loop."""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from advlab import testing
from advlab.config.settings import resolve
from advlab.data.images import ImageData
from advlab.engine.device import choose_device
from advlab.engine.network_cost import flops_and_speed
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.models.fastest_batch import tune
from advlab.models.forward import Forward, set_precision
from advlab.store.artifacts import ArtifactStore
from benchmarks.report import Ratio, Report, in_turn, peak_flops, ratio, synchronise

OPTIONS: dict[str, dict[str, Any]] = {
    "isotropy": {},
    "topology": {"test": "normal", "linearisation": False},
    "lipschitz": {"iterations": 1},
}


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
) -> None:
    """One experiment that keeps the distances: the sweep with them, and the reductions."""
    set_precision("float32")
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(network, shape, classes, images, device, Path(folder), experiment)
        execution, classifier, probe = ctx.execution, ctx.classifier, ctx.settings.probe
        assert execution is not None
        assert classifier is not None
        count = images * len(probe.radii) * probe.trials
        rounds = itertools.count()

        def ours() -> None:
            ctx.artifacts = ArtifactStore(Path(folder) / str(next(rounds)))  # an empty cache each time
            for cell in ctx.settings.experiment.cells(ctx):
                ctx.settings.experiment.measure(ctx, cell)
            synchronise(device)

        batch = torch.rand((execution.batch_size, *shape), device=device)

        def floor() -> None:
            for _ in range(count // execution.batch_size):
                classifier(batch)
            if count % execution.batch_size:
                classifier(batch[: count % execution.batch_size])
            synchronise(device)

        with frozen(classifier), torch.inference_mode():
            seconds = in_turn({"ours": ours, "floor": floor}, repeats)
    title = f"{experiment}, {network}, {images} images x {len(probe.radii)} radii x {probe.trials} trials"
    value, spread = ratio(seconds, "ours", "floor")
    report.ratios.append(Ratio(title, "time over forward-only floor", value, spread, "at most 1.15", value <= 1.15))
    report.facts[title] = (
        f"{', '.join(f'{side} {count / statistics.median(s):,.0f} images/s' for side, s in seconds.items())}; batch "
        f"{execution.batch_size}, {execution.memory_format}"
    )


def context(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    images: int,
    device: torch.device,
    cache: Path,
    experiment: str = "isotropy",
) -> NetworkContext:
    """A context over random images and a randomly initialised network: the speed does not depend on either."""
    settings = resolve(
        {
            "dataset": {"name": "mnist"}, "model": {"name": name}, "recipe": {"name": "none"}, "attack": {"name": "none"},
            "probe": {"name": "sphere", "samples": images, "norm": ["l2"], "pixel_scale": [1.0], "floor_samples": 0,
                "keep": experiment != "isotropy",
            },
            "experiment": {"name": experiment, **OPTIONS[experiment]}, "run": {},
        }
    )  # fmt: skip
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (images, *shape), dtype=torch.uint8)
    labels = torch.zeros(images, dtype=torch.int64)
    names = tuple(map(str, range(classes)))
    data = ImageData(name, "test", names, labels, shape, "random", pixels).to(device)
    mean, std = torch.full((shape[0], 1, 1), 0.4), torch.full((shape[0], 1, 1), 0.25)
    network = settings.model.network()
    classifier = Classifier(network, name=name, shape=shape, mean=mean, std=std).to(device).eval()
    forward = Forward(classifier, tune(classifier, device, "float32", ArtifactStore(cache)))
    ctx: NetworkContext = testing.context(settings, forward, data, folder=cache, samples=range(images))
    ctx.prepared = {"samples": list(range(images)), "ranges": [1.0, 1.0], "bounds": [None]}
    return ctx


def workload(
    report: Report,
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    images: int,
    repeats: int,
    device: torch.device,
    aim: float,
) -> None:
    """One network: ours, the floor and the plain loop, in turn."""
    set_precision("float32")
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(name, shape, classes, images, device, Path(folder))
    execution, forward, classifier = ctx.execution, ctx.forward, ctx.classifier
    assert execution is not None
    assert forward is not None
    assert classifier is not None
    probe, experiment = ctx.settings.probe, ctx.settings.experiment
    count = images * len(probe.radii) * probe.trials

    def ours() -> None:
        for cell in experiment.cells(ctx):
            experiment.measure(ctx, cell)
        synchronise(device)

    batch = torch.rand((execution.batch_size, *shape), device=device).contiguous(memory_format=execution.torch_format)

    def floor() -> None:
        for _ in range(count // execution.batch_size):
            classifier(batch)
        remainder = count % execution.batch_size
        if remainder:
            classifier(batch[:remainder])
        synchronise(device)

    plain: Classifier = copy.deepcopy(classifier).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def loop() -> None:
        plain_loop(plain, ctx, probe.radii, probe.trials, device)

    with frozen(classifier), torch.inference_mode():
        seconds = in_turn({"ours": ours, "floor": floor, "plain loop": loop}, repeats)
        flops, _ = flops_and_speed(forward)
        peak = peak_flops(device)
    title = f"isotropy, {name}, {images} images x {len(probe.radii)} radii x {probe.trials} trials"
    value, spread = ratio(seconds, "ours", "floor")
    report.ratios.append(
        Ratio(title, "time over forward-only floor", value, spread, f"at most {aim:.2f}", value <= aim)
    )
    value, spread = ratio(seconds, "plain loop", "ours")
    report.ratios.append(Ratio(title, "plain numpy loop over ours", value, spread, "at least 3", value >= 3))
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    share = flops * count / medians["floor"] / peak
    report.facts[title] = (
        f"{', '.join(f'{side} {count / s:,.0f} images/s' for side, s in medians.items())}; batch {execution.batch_size}, "
        f"{execution.memory_format}; the floor uses {100 * share:.0f} % of this machine's float32 peak ({peak / 1e9:,.0f} GFLOP/s)"
    )


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
