"""What a random layer with a ReLU does to points, from their Gram matrix alone: the control for aghdam2017, section 2.3."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.metrics.random_map import square_root

UNITS_AT_ONCE = 1 << 10  # of a layer: memory does not grow with its width


def rectified_layer(points: Tensor, outputs: int, seed: int) -> Tensor:
    """A point and shifts of it after z -> relu(W z) sqrt(2 / R), where W (R, D) has N(0, 1) entries (He et al. 2015).

    W itself is not needed: for points with the Gram matrix G, the T + 1 values that one unit of the layer takes before its
    ReLU are distributed as N(0, G), and units are independent. So any points with that Gram matrix will do, and those that
    are returned have that of the layer's values, in no more than T + 1 dimensions.

    Args:
        points: (B, 1 + T, K) coordinates of a point, then of T shifts v from it: the layer is given x and all x + v.
        outputs: R, units of the layer.
        seed: of W's values on these coordinates, the same for all B sets.

    Returns:
        (B, 1 + T, 1 + T) float64: the layer's value at the point, and how far it moves with each shift. NaN for a set with a
        value that is not finite.

    Examples:
        The mean squared value of a unit is that of the inputs, by the factor 2 / R: half of the units are off.

        >>> x = torch.ones(1, 2, 50)
        >>> layer = rectified_layer(x, outputs=20000, seed=0)
        >>> layer.shape, abs(layer[0, 0].square().sum().item() / 50 - 1) < 0.05
        (torch.Size([1, 2, 2]), True)
    """
    generator = torch.Generator().manual_seed(seed)
    count, size = points.shape[1:]
    given = points.float()
    gram = torch.zeros(len(points), count, count, dtype=torch.float64, device=points.device)
    for start in range(0, outputs, UNITS_AT_ONCE):
        units = min(UNITS_AT_ONCE, outputs - start)
        weights = torch.randn(units, size, generator=generator).to(points.device)
        before = given @ weights.T
        at_point, shifts = before[:, :1], before[:, 1:]
        # relu(a + d) - relu(a), without the digits that a difference loses where d is small beside a
        moved = torch.where(at_point > 0, torch.maximum(shifts, -at_point), torch.relu(at_point + shifts))
        after = torch.cat([torch.relu(at_point), moved], 1)
        gram += (after @ after.mT).double()
    return square_root(gram * (2 / outputs))
