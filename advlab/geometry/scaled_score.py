"""The softmax score as a function whose derivatives survive float32, however near to 1 it is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def scaled_score(
    network: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, of: str
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """s / scale as a function of images, (n, C, H, W) to (n,) float64, and the (n,) scale: 1 - score at x, or 1.

    Scores sit within 1e-15 of 1; so scaled, their derivatives are of order 1 and pass through float32 unharmed.
    """

    def against(z: Tensor) -> Tensor:
        """(n,) log((1 - score) / score)."""
        logits = network(z)
        logits = (logits.cpu() if logits.device.type == "mps" else logits).double()
        index = labels.to(logits.device)[:, None]
        others: Tensor = logits.scatter(1, index, -torch.inf).logsumexp(1)
        return others - logits.gather(1, index)[:, 0]

    if of == "logit":
        return lambda z: -against(z), torch.ones(len(x), dtype=torch.float64)
    with torch.no_grad():
        clean = logsigmoid(against(x))
    return lambda z: -(logsigmoid(against(z)) - clean).exp(), clean.exp()
