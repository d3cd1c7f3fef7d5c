"""Draws points by an objective of a random network, and trains other networks on them (barati2021, section IV-B)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.lab import Cell, DeviceContext
from advlab.metrics.objectives import expected_loss, objective
from advlab.models.classifier import Classifier
from advlab.training.batched_mlps import BatchedMLPs

from .random_mlp import CLASSES, HIDDEN, random_mlp, square_grid
from .sample_complexity import DENSITIES, TEST_RESOLUTION, ComplexityRow, SampleComplexity

FIRST_HYPOTHESIS = 1_000_000  # seed of the first random network of the expectation, far from those of the teachers


def measure(experiment: SampleComplexity, ctx: DeviceContext, cell: Cell) -> list[ComplexityRow]:
    """The students of one teacher: one for each number of points and density, all trained together."""
    params, seed = experiment.params, cell.payload["teacher"]
    teacher = random_mlp(seed).to(ctx.device)
    generator = torch.Generator().manual_seed(seed)
    pool = torch.rand(params.pool, 2, generator=generator) * 2 - 1
    test_points = square_grid(TEST_RESOLUTION)
    with torch.no_grad():
        densities = point_densities(experiment, ctx, teacher, pool)
        labels = predictions(teacher, pool)
        test_labels = predictions(teacher, test_points[:, :, 0, 0])
        adversarial = objective(teacher, test_points.to(ctx.device), "adversarial").cpu()
    training_sets = [(size, density) for size in params.sizes for density in DENSITIES]
    drawn = [torch.multinomial(densities[density], size, generator=generator) for size, density in training_sets]
    students = train_students(
        experiment, ctx, [pool[index] for index in drawn], [labels[index] for index in drawn], generator
    )
    largest_tenth = adversarial >= adversarial.quantile(0.9)
    agrees = students(test_points[:, :, 0, 0].to(ctx.device)).argmax(-1).cpu() == test_labels
    rows = []
    for s, (size, density) in enumerate(training_sets):
        fitted = students.logits_of(s, pool[drawn[s]].to(ctx.device)).argmax(-1).cpu() == labels[drawn[s]]
        rows.append(
            ComplexityRow(
                teacher=seed, density=density, points=size, spread=spread(densities[density]), loss=params.loss,
                agreement=float(agrees[s].double().mean()),
                at_boundary=float(agrees[s][largest_tenth].double().mean()), fitted=float(fitted.double().mean()),
            )
        )  # fmt: skip
    return rows


def point_densities(
    experiment: SampleComplexity, ctx: DeviceContext, teacher: Classifier, pool: Tensor
) -> dict[str, Tensor]:
    """For each of DENSITIES the weights (N,) in proportion to which points of the pool (N, 2) are drawn, on the CPU."""
    params, x = experiment.params, as_images(pool).to(ctx.device)
    first = FIRST_HYPOTHESIS + params.hypotheses * ctx.settings.run.seed
    hypotheses = (random_mlp(seed).to(ctx.device) for seed in range(first, first + params.hypotheses))
    weights = {
        "uniform": torch.ones(len(x)),
        "adversarial": objective(teacher, x, "adversarial", loss=params.loss).cpu(),
        "hard": objective(teacher, x, "hard", loss=params.loss).cpu(),
        "expected": expected_loss(hypotheses, x, params.loss).cpu(),
    }
    ctx.count(forwards=(params.hypotheses + 2) * len(x))
    # a margin loss may be 0 on all but a few points, and more points than those must be drawn
    return {density: values.clamp_min(1e-9 * float(values.max())) for density, values in weights.items()}


def train_students(
    experiment: SampleComplexity,
    ctx: DeviceContext,
    points: list[Tensor],
    labels: list[Tensor],
    generator: torch.Generator,
) -> BatchedMLPs:
    """Networks of the teacher's architecture, one trained on each set of points (N_s, 2) with its labels (N_s,)."""
    params, deviation = experiment.params, 1.0 if experiment.params.init == "teacher" else 0.0
    students = BatchedMLPs(
        len(points), (2, *HIDDEN, CLASSES), deviation=deviation, generator=generator, device=ctx.device
    )
    students.fit(points, labels, steps=params.steps, batch=params.batch, lr=params.lr, generator=generator)
    seen = len(points) * params.steps * params.batch
    ctx.count(forwards=seen, backwards=seen)
    return students


def spread(density: Tensor) -> float:
    """(sum w)^2 / (N sum w^2) of weights w (N,): 1 for equal ones, k / N where k equal ones are not 0."""
    weights = density.double()
    return float(weights.sum() ** 2 / (len(weights) * weights.square().sum()))


def predictions(network: Classifier, points: Tensor) -> Tensor:
    """(N,) classes of points (N, 2), on the CPU."""
    classes: Tensor = network(as_images(points).to(network.device)).argmax(1).cpu()
    return classes


def as_images(points: Tensor) -> Tensor:
    """Points (N, 2) as images (N, 2, 1, 1), which networks take."""
    return points[:, :, None, None]
