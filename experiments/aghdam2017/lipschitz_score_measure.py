"""Whether scores stay close where features do: what section 2.4 of aghdam2017 gives as the reason for tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from advlab.probes.neighbourhood import Neighbourhood


def score_movements(neighbourhood: Neighbourhood, depth: int) -> dict[str, Any]:
    """How far the true class's score moves, and whether it does so where the features of a layer do.

    Returns:
        Nested lists (readings, samples, radii), by the names of their columns in `LipschitzRow`.
    """
    clean = neighbourhood.clean_error_probability[:, None, None]
    moved = (neighbourhood.error_probability - clean).abs()
    finite = torch.isfinite(moved)
    follows = rank_correlations(neighbourhood.feature_shifts[depth], moved)
    return {
        "score_moved": (torch.where(finite, moved, 0).sum(-1) / finite.sum(-1)).tolist(),
        "score_follows": follows.tolist(),
    }


def rank_correlations(x: Tensor, y: Tensor) -> Any:
    """(...) Spearman's correlation over the last axis of (..., T) pairs, ties at their mean rank.

    Pairs that are not finite are left out. NaN where fewer than three are left or one of the two is constant.

    Examples:
        >>> rho = rank_correlations(torch.tensor([1.0, 2.0, 3.0, torch.nan]), torch.tensor([1.0, 8.0, 27.0, 0.0]))
        >>> round(float(rho), 6)
        1.0
    """
    pairs = np.stack([values.double().cpu().numpy() for values in (x, y)])
    pairs[:, ~np.isfinite(pairs).all(0)] = np.nan
    ranks = rankdata(pairs, axis=-1, nan_policy="omit")
    counted = np.isfinite(ranks).all(0).sum(-1)
    deviations = np.nan_to_num(ranks - np.nansum(ranks, -1, keepdims=True) / np.maximum(counted, 1)[..., None])
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (deviations[0] * deviations[1]).sum(-1) / np.sqrt((deviations**2).sum(-1).prod(0))
    return np.where(counted >= 3, rho, np.nan)
