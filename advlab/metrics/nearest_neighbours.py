"""How many points keep their nearest neighbour under a map (aghdam2017, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.metrics.distances import all_finite, squareform
from advlab.metrics.mantel import checked_pair

SETS_AT_ONCE = 1 << 18  # entries of the full matrices that are formed at once


class NearestKept:
    """Finds which points keep their nearest neighbour, for one set of points and any maps of it.

    By chance it is 1 / (T - 1). Where several neighbours are equally near, before the map or after it, each counts as its share
    of them, so that a map to one point gives chance, and the order of the points does not matter.

    Args:
        d_in: (B, T (T - 1) / 2) condensed distances of the points.

    Raises:
        ValueError: T < 3, or the shape is not (B, T (T - 1) / 2).

    Examples:
        Points at 0, 1 and 3 of a line; the map brings the last nearest to the first.

        >>> before, after = torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([[2.0, 1.0, 3.0]])
        >>> kept = NearestKept(before)
        >>> kept(before).item(), round(kept(after).item(), 6)
        (1.0, 0.333333)
    """

    def __init__(self, d_in: Tensor) -> None:
        self.condensed = checked_pair(d_in, d_in)[0]
        self.finite = all_finite(self.condensed)
        self.at_once = max(1, SETS_AT_ONCE // d_in.shape[1])
        self.nearest = torch.cat([_nearest(part) for part in self.condensed.split(self.at_once)])

    def __call__(self, d_out: Tensor) -> Tensor:
        """(B,) float64 share of T points whose nearest neighbour is still the nearest after the map to points of these distances.

        Args:
            d_out: (B, T (T - 1) / 2) condensed distances of the same points after the map.

        Returns:
            NaN where a distance is not finite.

        Raises:
            ValueError: the shapes differ.
        """
        after = checked_pair(self.condensed, d_out)[1]
        parts = zip(self.nearest.split(self.at_once), after.split(self.at_once), strict=True)
        kept = torch.cat([_mean_kept(nearest, _nearest(part)) for nearest, part in parts])
        return kept.masked_fill_(~(self.finite & all_finite(after)), torch.nan)


def _nearest(condensed: Tensor) -> Tensor:
    """(B, T, T) bool: whether the second point is a nearest neighbour of the first."""
    full = squareform(condensed)
    full.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return full == full.amin(2, keepdim=True)


def _mean_kept(before: Tensor, after: Tensor) -> Tensor:
    """(B,) float64 mean over the points, for their nearest neighbours (B, T, T) before the map and after it."""
    pairs = (before.sum(2) * after.sum(2)).clamp_min(1)  # of a nearest neighbour before and one after; 0 of what is NaN
    return ((before & after).sum(2).double() / pairs).mean(1)
