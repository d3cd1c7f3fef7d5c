"""Trains the networks of figure 5 of barati2021 and attacks them, directly and by each other's gradients."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from advlab.lab import Cell, DataContext
from advlab.models.classifier import frozen
from advlab.models.forward import Execution, Forward

from .attacks_on_networks import IMAGES_AT_ONCE, Tallies, attack_by_one_step, attack_inside_pixel_range
from .hard_point_training import HardPointRow, HardPointTraining
from .trained_networks import trained_network, training_point_distance


def prepare(experiment: HardPointTraining, ctx: DataContext) -> dict[str, Any]:
    """The test images, in a seeded order."""
    return {"samples": ctx.order(experiment.params.images)}


def measure(experiment: HardPointTraining, ctx: DataContext, cell: Cell) -> list[HardPointRow]:
    """All that the gradients of one network of one seed are used for; those of the reference, against all networks."""
    params, run = experiment.params, ctx.settings.run
    seed, source = cell.payload["seed"], cell.payload["network"]
    execution = Execution(run.batch_size or IMAGES_AT_ONCE, "contiguous", run.precision)
    tallies: Tallies = {}
    networks: dict[str, Forward] = {}
    with ExitStack() as frozen_networks:
        for name in params.networks if source == "reference" else [source, "reference"]:
            classifier = trained_network(params, ctx, name, seed)
            frozen_networks.enter_context(frozen(classifier))
            networks[name] = Forward(classifier, execution)
        attack_by_one_step(params, ctx, source, networks, tallies)
        attack_inside_pixel_range(params, ctx, source, networks[source], tallies)
        reach = {
            name: training_point_distance(params, ctx, name, forward.classifier) for name, forward in networks.items()
        }
    for forward in networks.values():
        ctx.count(forwards=forward.images)
    weights = {name: forward.classifier.digest()[:12] for name, forward in networks.items()}
    return [
        HardPointRow(
            seed=seed, victim=trial.victim, source="none" if trial.attack == "noise" else source, attack=trial.attack,
            epsilon=trial.epsilon, length=tally.norm_sum / tally.images, images=tally.images, correct=tally.correct,
            ascent=params.ascent, reach=reach[trial.victim], weights=weights[trial.victim],
        )
        for trial, tally in tallies.items()
    ]  # fmt: skip
