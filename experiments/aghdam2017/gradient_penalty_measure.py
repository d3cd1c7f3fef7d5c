"""Trains networks with penalties on their derivatives, and measures perturbations, ranges and clean accuracy of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advlab.lab import Cell, DataContext
from advlab.lab.trained_here import count_correct
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Execution, Forward
from advlab.probes.draws import Draws
from advlab.probes.neighbourhood import PerturbedImages, sweep_scores
from advlab.probes.sphere import Sphere
from advlab.training.first_images import first_images

from .gradient_penalty import GradientPenalty, GradientPenaltyRow
from .gradient_penalty_claims import PLAIN

IMAGES_AT_ONCE = 500


def measure(experiment: GradientPenalty, ctx: DataContext, cell: Cell) -> list[GradientPenaltyRow]:
    """One network: trained or read from the artifacts, attacked, and asked for its scores around the images."""
    params, run = experiment.params, ctx.settings.run
    seed, penalty = cell.payload["seed"], cell.payload["penalty"]
    classifier = trained_network(params, ctx, seed, penalty)
    samples = ctx.prepared["samples"][: params.images]
    x, labels = ctx.images_and_labels(samples)
    with frozen(classifier):
        forward = Forward(classifier, Execution(run.batch_size or IMAGES_AT_ONCE, "contiguous", run.precision))
        correct = count_correct(ctx, forward, ctx.prepared["samples"])
        lengths, is_correct = smallest_perturbations(ctx, forward, x, labels)
        ranges = score_ranges(params, ctx, forward, x, labels, samples)
    ctx.count(forwards=forward.images)
    common: dict[str, Any] = {
        "seed": seed, "penalty": penalty, "trials": params.trials, "attack": ctx.settings.nodes["attack"]["name"],
        "test_images": len(ctx.prepared["samples"]), "test_correct": correct, "weights": classifier.digest()[:12],
    }  # fmt: skip
    return [
        GradientPenaltyRow(
            sample=sample, label=int(labels[i]), radius=radius, correct=is_correct[i], length=lengths[i],
            **{name: values[i][k] for name, values in ranges.items()}, **common,
        )
        for i, sample in enumerate(samples)
        for k, radius in enumerate(params.radii)
    ]  # fmt: skip


def trained_network(params: GradientPenalty.Params, ctx: DataContext, seed: int, penalty: str) -> Classifier:
    """A network by the run's model and recipe, in float32, with the penalty; trained or from the artifacts.

    Raises:
        ModelError: the training images are streamed from files, or training diverged.
    """
    terms = [] if penalty == PLAIN else penalty.split("+")
    recipe = replace(ctx.settings.recipe, precision="float32", penalty=terms)
    return ctx.train(recipe, data=first_images(ctx.load_split("train"), params.train_images, seed), seed=seed)


def smallest_perturbations(
    ctx: DataContext, forward: Forward, x: Tensor, labels: Tensor
) -> tuple[list[float], list[bool]]:
    """(n,) L2 norms of what the run's attack finds, NaN where it finds nothing, and whether the images were correct before."""
    attack = ctx.settings.attack
    result, seconds = forward.in_batches(lambda batch: attack(forward.attack_target, x, labels, batch_size=batch))
    ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(x), seconds=seconds)
    lengths = torch.linalg.vector_norm((result.adv - x).flatten(1), dim=1)
    return torch.where(result.success, lengths, torch.nan).tolist(), result.eligible.tolist()


def score_ranges(
    params: GradientPenalty.Params, ctx: DataContext, forward: Forward, x: Tensor, labels: Tensor, samples: list[int]
) -> dict[str, Any]:
    """Nested lists (n, radii) of the columns about scores, by the sweep of `isotropy`; all networks meet the same directions."""
    probe = Sphere(radii=params.radii, trials=params.trials, norm=["l2"], pixel_scale=[1.0])
    draws = Draws(
        seed=ctx.settings.run.seed, dataset=f"{ctx.data.name}/{ctx.data.split}", size=ctx.values_per_image,
        device=ctx.device, portable=params.noise == "portable",
    )  # fmt: skip
    scores = sweep_scores(PerturbedImages(forward, x, labels, samples, probe, draws, forward.execution))
    error = scores.error_probability[0]  # the only reading: (n, radii, T)
    finite = torch.isfinite(error)
    columns: dict[str, Any] = {}
    for name, values in (("range", error), ("logit_range", torch.logit(error))):
        highest = torch.where(finite, values, -torch.inf).amax(-1)
        lowest = torch.where(finite, values, torch.inf).amin(-1)
        columns[name] = torch.where(finite.any(-1), highest - lowest, torch.nan).tolist()
    columns["nonfinite"] = (~finite).sum(-1).tolist()
    clean = scores.clean_error_probability[:, None].expand(-1, len(params.radii))
    return columns | {"clean_error_probability": clean.tolist()}
