"""Evaluates the classes and objectives of a random network, and of one beside it, on the grid of figure 4 of barati2021."""

from __future__ import annotations

import torch

from advlab.lab import Cell, DeviceContext
from advlab.metrics.objectives import own_loss

from .mlp_objectives import MLPObjectives, ObjectiveRow
from .random_mlp import HIDDEN_LAYERS, random_mlp, square_grid

POINTS_AT_ONCE = 1 << 14
#: from the seed of a network to that of the one beside it: less than 2^32, of which multiples are nothing to torch's generator
OTHER = 1_000_003


def measure(experiment: MLPObjectives, ctx: DeviceContext, cell: Cell) -> list[ObjectiveRow]:
    """A row for each point of the grid."""
    loss, seed = experiment.params.loss, cell.payload["network"]
    classifier, other = (random_mlp(s % 2**63).to(ctx.device) for s in (seed, seed + OTHER))
    points = square_grid(experiment.params.resolution)
    parts = []
    for part in points.split(POINTS_AT_ONCE):
        x = part.to(ctx.device)
        logits, hidden = classifier.layer_features(x, HIDDEN_LAYERS)
        other_logits, other_features = other.features(x)
        objectives = [own_loss(outputs, loss) for outputs in (logits, *hidden, other_logits, other_features)]
        parts.append(torch.stack([logits.argmax(1).to(objectives[0]), *objectives]).cpu())
    ctx.count(forwards=2 * len(points))
    columns = torch.cat([points[:, :, 0, 0].T, torch.cat(parts, 1)])  # (9, N): x1, x2, class and objectives
    return [
        ObjectiveRow(
            network=seed, loss=loss, x1=round(x1, 6), x2=round(x2, 6), output=int(output), adversarial=adversarial, hard=hard,
            hard_1=hard_1, hard_2=hard_2, other_adversarial=other_adversarial, other_hard=other_hard,
        )
        for x1, x2, output, adversarial, hard_1, hard_2, hard, other_adversarial, other_hard in columns.T.tolist()
    ]  # fmt: skip
