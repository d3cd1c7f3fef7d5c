"""Evaluates the classes and both objectives of a random network on the grid of figure 4 of barati2021."""

from __future__ import annotations

import torch

from advlab.lab import Cell, DeviceContext
from advlab.metrics.objectives import own_loss

from .mlp_objectives import MLPObjectives, ObjectiveRow
from .random_mlp import random_mlp, square_grid

POINTS_AT_ONCE = 1 << 14


def measure(experiment: MLPObjectives, ctx: DeviceContext, cell: Cell) -> list[ObjectiveRow]:
    """A row for each point of the grid."""
    loss, seed = experiment.params.loss, cell.payload["network"]
    classifier = random_mlp(seed).to(ctx.device)
    points = square_grid(experiment.params.resolution)
    parts = []
    for part in points.split(POINTS_AT_ONCE):
        logits, features = classifier.features(part.to(ctx.device))
        adversarial, hard = own_loss(logits, loss), own_loss(features, loss)
        parts.append(torch.stack([logits.argmax(1).to(adversarial), adversarial, hard]).cpu())
    ctx.count(forwards=len(points))
    columns = torch.cat([points[:, :, 0, 0].T, torch.cat(parts, 1)])  # (5, N): x1, x2, class and both objectives
    return [
        ObjectiveRow(
            network=seed, loss=loss, x1=round(x1, 6), x2=round(x2, 6), output=int(output), adversarial=adversarial, hard=hard,
        )
        for x1, x2, output, adversarial, hard in columns.T.tolist()
    ]  # fmt: skip
