"""How many points keep their nearest neighbour under a map (aghdam2017, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.metrics.distances import all_finite, squareform
from advlab.metrics.mantel import checked_pair

SETS_AT_ONCE = 1 << 22  # entries of the full matrices that are formed at once


def nearest_kept(d_in: Tensor, d_out: Tensor) -> Tensor:
    """(B,) float64 share of T points whose nearest neighbour is still the nearest after a map.

    By chance it is 1 / (T - 1). Where several neighbours are equally near, before the map or after it, each counts as its share
    of them, so that a map to one point gives chance, and the order of the points does not matter.

    Args:
        d_in: (B, T (T - 1) / 2) condensed distances of the points.
        d_out: (B, T (T - 1) / 2), those after the map.

    Returns:
        NaN where a distance is not finite.

    Raises:
        ValueError: the shapes differ, or T < 3.

    Examples:
        Points at 0, 1 and 3 of a line; the map brings the last nearest to the first.

        >>> before, after = torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([[2.0, 1.0, 3.0]])
        >>> nearest_kept(before, before).item(), round(nearest_kept(before, after).item(), 6)
        (1.0, 0.333333)
    """
    before, after = checked_pair(d_in, d_out)
    at_once = max(1, SETS_AT_ONCE // before.shape[1])
    parts = zip(before.split(at_once), after.split(at_once), strict=True)
    return torch.cat([_nearest_kept(a, b) for a, b in parts])


def _nearest_kept(before: Tensor, after: Tensor) -> Tensor:
    finite = all_finite(before) & all_finite(after)
    full_before, full_after = squareform(before), squareform(after)
    for full in (full_before, full_after):
        full.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    first, then = (full == full.amin(2, keepdim=True) for full in (full_before, full_after))
    pairs = (first.sum(2) * then.sum(2)).clamp_min(1)  # of a nearest neighbour before and one after; 0 of what is NaN
    kept = (first & then).sum(2).double() / pairs
    return torch.where(finite, kept.mean(1), torch.nan)
