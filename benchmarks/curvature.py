"""Mean Hessians beside bare forwards and backwards, and what Lanczos captures of the dense matrix of a trained LeNet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advlab.config.compose import Composer
from advlab.engine.device import choose_device
from advlab.engine.provenance import peak_memory
from advlab.engine.setup import build_context
from advlab.errors import AdvlabError, MeasurementError
from advlab.geometry.mean_hessian import CurvatureBasis, MeanHessian, dense_curvatures, lanczos_curvatures
from advlab.lab import NetworkContext
from advlab.models.classifier import frozen
from advlab.models.forward import Forward, set_precision
from benchmarks.random_network import context
from benchmarks.report import Ratio, Report, in_turn, note_peak_memory, ratio, synchronise
from experiments.jetley2018.curvature_stages import CurvatureParams
from experiments.jetley2018.curvature_stages_measure import length_of_step, make_points

TARGET = 3
DIRECTIONS, DENSE_POINTS, QUALITY_POINTS = 10, 25, 25
PAIRS = {5: 60, 25: 220}  # of either end, ten and fifty of both -> gradients a point that finding them may take
CAPTURED = 0.85
LARGE, LARGE_POINTS, LARGE_PAIRS, LARGEST_MEMORY = (3, 224, 224), 5, 3, 4 * 2**30  # bytes
NETWORKS: tuple[tuple[str, tuple[int, int, int], int], ...] = (
    ("lenet", (1, 28, 28), 10),
    ("cifar_vgg", (3, 32, 32), 10),
)


def run(report: Report, *, repeats: int, images: int) -> None:
    """Speed on networks with random weights, and Lanczos beside dense on lenet_mnist from the user's cache.

    Args:
        report: is added to.
        repeats: 0: 5.
        images: boundary points of the products; 0: 100.
    """
    set_precision("float32")
    for name, shape, classes in NETWORKS:
        speed(report, name, shape, classes, images or 100, repeats or 5)
    captured(report, images or QUALITY_POINTS)
    memory(report)


def speed(
    report: Report, name: str, shape: tuple[int, int, int], classes: int, points: int, repeats: int, batch_size: int = 0
) -> None:
    """Products of a few directions at many points, and the dense matrix at few points, beside their floors."""
    device = choose_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(name, shape, classes, points, device, Path(folder), batch_size=batch_size)
    forward, generator = ctx.forward, torch.Generator().manual_seed(0)
    x = ctx.data.images(torch.arange(points))
    sources = torch.zeros(points, dtype=torch.int64, device=device)

    def operator(count: int) -> MeanHessian:
        made = MeanHessian(
            ctx.attack_target, x[:count], TARGET, sources[:count], step=0.85, batch_size=forward.execution.batch_size
        )
        return made

    size = ctx.values_per_image
    v = torch.randn(DIRECTIONS, size, generator=generator, dtype=torch.float64)
    few = min(DENSE_POINTS, points)
    works: dict[str, tuple[Callable[[], object], int]] = {
        f"{DIRECTIONS} products, {points} points": (lambda: operator(points).products(v), 2 * DIRECTIONS * points)
    }
    if size <= 784 or device.type == "cuda":
        works[f"dense, {few} points"] = (lambda: dense_curvatures(operator(few), checked=10), 2 * few * (size + 30))
    for title, (ours, count) in works.items():
        title = f"mean Hessian, {name}, {title}"
        with frozen(ctx.classifier), torch.inference_mode():
            note_peak_memory(report, title, device, ours)
            sides: dict[str, Callable[[], object]] = {
                "ours": waited(ours, device),
                "floor": forward_and_backward(forward, count),
            }
            seconds = in_turn(sides, repeats)
        value, spread = ratio(seconds, "ours", "floor")
        report.ratios.append(
            Ratio(title, "time over forward-and-backward floor", value, spread, "at most 1.10", value <= 1.1)
        )
        medians = {side: sorted(times)[len(times) // 2] for side, times in seconds.items()}
        report.facts[title] = (
            f"{', '.join(f'{side} {count / median:,.0f} gradients/s' for side, median in medians.items())}; batch "
            f"{forward.execution.batch_size}, {forward.execution.memory_format}"
        )


def waited(call: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """The call, after which the device is waited for."""

    def side() -> None:
        call()
        synchronise(device)

    return side


def forward_and_backward(forward: Forward, count: int) -> Callable[[], None]:
    """The floor: `count` bare gradients of a logit difference, of one batch that lies there, in ours' batch and format."""
    execution, device = forward.execution, forward.classifier.device
    batch = torch.rand((execution.batch_size, *forward.classifier.shape), device=device)
    batch = batch.contiguous(memory_format=execution.torch_format)

    def gradient(x: Tensor) -> None:
        leaf = x.detach().requires_grad_()
        logits = forward.classifier(leaf)
        torch.autograd.grad((logits[:, TARGET] - logits[:, 0]).sum(), leaf)

    def floor() -> None:
        with torch.inference_mode(False):
            images = batch.clone()
            for _ in range(count // len(images)):
                gradient(images)
            if count % len(images):
                gradient(images[: count % len(images)])
        synchronise(device)

    return floor


def captured(report: Report, points: int) -> None:
    """Share of the trace of dense's ends that Lanczos captures, judged by the dense matrix, and what it takes."""
    title = f"Lanczos, lenet_mnist, {points} points"
    try:
        ctx = trained()
        params = CurvatureParams(points=points)
        with frozen(ctx.classifier), torch.inference_mode():
            arrays, facts = make_points(ctx, params, TARGET)
            if not facts["points"]:
                raise MeasurementError(f"class {TARGET} has no boundary points: {facts['missing']}")
            step = length_of_step(ctx, params)
    except AdvlabError as error:
        report.ratios.append(Ratio(title, "everything", torch.nan, 0.0, f"not run: {error}", False))
        return
    x, sources = (torch.from_numpy(arrays[name]).to(ctx.device) for name in ("points", "sources"))

    def operator() -> MeanHessian:
        return MeanHessian(ctx.attack_target, x, TARGET, sources, step=step, batch_size=ctx.execution.batch_size)

    with frozen(ctx.classifier), torch.inference_mode():
        dense = dense_curvatures(operator())
        for pairs, most in PAIRS.items():
            finding = operator()
            basis = lanczos_curvatures(finding, pairs, check=False)
            gradients = finding.gradients / len(x)
            share = captured_share(basis, dense, pairs)
            report.ratios.append(
                Ratio(
                    title,
                    f"gradients a point, {2 * pairs} pairs of both ends",
                    gradients,
                    0.0,
                    f"at most {most}",
                    gradients <= most,
                )
            )
            name = f"share of the trace of dense's {pairs} and {pairs}"
            report.ratios.append(Ratio(title, name, share, 0.0, f"at least {CAPTURED}", share >= CAPTURED))
    report.facts[title] = (
        f"dense: ||H - H'|| / ||H|| = {dense.asymmetry:.2f}, residuals up to {dense.residuals.nan_to_num().max():.2f}"
    )


def memory(report: Report, name: str = "alexnet") -> None:
    """What Lanczos takes of images of 150,528 values: on the device, or of this process and all that it did before."""
    title, device = f"Lanczos, {name} at {LARGE[1]} pixels, {LARGE_POINTS} points", choose_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(name, LARGE, 1000, LARGE_POINTS, device, Path(folder))
    x, sources = (
        ctx.data.images(torch.arange(LARGE_POINTS)),
        torch.zeros(LARGE_POINTS, dtype=torch.int64, device=device),
    )
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with frozen(ctx.classifier), torch.inference_mode():
        batch_size = ctx.execution.batch_size
        lanczos_curvatures(
            MeanHessian(ctx.attack_target, x, TARGET, sources, step=75.0, batch_size=batch_size), LARGE_PAIRS
        )
    taken = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory()
    limit = f"at most {LARGEST_MEMORY / 2**30:g}"
    report.ratios.append(Ratio(title, "GiB", taken / 2**30, 0.0, limit, taken <= LARGEST_MEMORY))


def captured_share(basis: CurvatureBasis, dense: CurvatureBasis, pairs: int) -> float:
    """Sum of |v'Hv| of Lanczos' directions by the dense matrix, with the sign of their end, over dense's own ends."""
    products = (basis.directions @ dense.directions.T).square() @ dense.curvatures
    ends = torch.cat([dense.curvatures[:pairs], -dense.curvatures[-pairs:]]).sum()
    return float((products[:pairs].sum() - products[-pairs:].sum()) / ends)


def trained() -> NetworkContext:
    """A context around lenet_mnist.

    Raises:
        AdvlabError: data or trained weights are not in the user's cache.
    """
    with Composer(None) as composer:
        settings = composer.settings(["experiment=isotropy", "model=lenet_mnist", "run.dry=true"])
    ctx: Any = build_context(settings, None, lambda *_: None)
    if not ctx.facts["model"]["origin"].startswith("trained"):
        raise AdvlabError("lenet_mnist is not trained yet: `advlab model=lenet_mnist` does it")
    assert isinstance(ctx, NetworkContext)
    return ctx
