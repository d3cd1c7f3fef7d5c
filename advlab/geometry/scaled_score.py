"""The softmax score, scaled so that its derivatives are accurate in float32 however near to 1 the score is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from advlab.metrics.loss_gradient import error_log_odds


def scaled_score(
    network: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, quantity: str
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """s / scale as a function of images, (n, C, H, W) to (n,) float64, and the (n,) scale, for a score or logit s.

    Scores lie within 1e-15 of 1. Divided by 1 - score at x they have derivatives of order 1, which float32 represents.

    Args:
        network: (n, C, H, W) to logits (n, K).
        x: (n, C, H, W) images around which the score is differentiated.
        labels: (n,) classes whose score it is.
        quantity: "logit": s is log(score / (1 - score)), and the scale is 1. Otherwise s is the score less 1, and the scale
            is 1 - score at x.

    Examples:
        Two logits x and 0: the score is 1 / (1 + e^-x), so that (score - 1) / (1 - score(x)) is -1 at x itself.

        >>> network = lambda x: torch.cat([x.flatten(1), 0 * x.flatten(1)], dim=1)
        >>> function, scale = scaled_score(network, torch.full((1, 1, 1, 1), 40.0), torch.tensor([0]), "score")
        >>> f"{scale.item():.4e}", round(function(torch.full((1, 1, 1, 1), 40.0)).item(), 6)
        ('4.2484e-18', -1.0)
    """

    def log_odds_of_error(z: Tensor) -> Tensor:
        """(n,) log((1 - score) / score)."""
        return error_log_odds(network(z), labels)

    if quantity == "logit":
        return lambda z: -log_odds_of_error(z), torch.ones(len(x), dtype=torch.float64)
    with torch.no_grad():
        clean = logsigmoid(log_odds_of_error(x))
    return lambda z: -(logsigmoid(log_odds_of_error(z)) - clean).exp(), clean.exp()
