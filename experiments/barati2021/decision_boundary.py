"""How the objectives of a network, measured on a grid of points, relate to its decision boundary and to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from advlab.lab import Frame

Values = NDArray[np.float64]


def boundary_numbers(square: Frame, distance: float) -> dict[str, float]:
    """What section IV-B of barati2021 is judged by, for one network.

    Args:
        square: rows of `mlp_objectives` of one network, a square grid over [-1, 1]^2.
        distance: from the nearest point of another class, up to which a point counts as at the boundary.

    Returns:
        `at_boundary`: the share of such points. `adversarial_ranks` and `hard_ranks`: the chance that one of them has a
        larger objective than a point elsewhere. `elsewhere`: of the largest tenth of the adversarial objective, the share
        that is not at the boundary. `correlation`: Spearman's rank correlation of the two objectives.
    """
    from scipy.stats import rankdata  # not at the top: listing and describing need not wait for scipy

    square = square.sort_values(["x1", "x2"])
    side = square["x1"].nunique()
    adversarial, hard = (square[key].to_numpy() for key in ("adversarial", "hard"))
    classes = square["output"].to_numpy().reshape(side, -1)
    at_boundary = boundary_distance(classes, 2 / (side - 1)).ravel() <= distance
    largest_tenth = adversarial >= np.quantile(adversarial, 0.9)
    ranks = [rankdata(objective) for objective in (adversarial, hard)]
    return {
        "at_boundary": float(at_boundary.mean()),
        "adversarial_ranks": area_under_roc(adversarial, at_boundary),
        "hard_ranks": area_under_roc(hard, at_boundary),
        "elsewhere": float((largest_tenth & ~at_boundary).sum() / largest_tenth.sum()),
        "correlation": float(np.corrcoef(*ranks)[0, 1]),
    }


def boundary_distance(classes: NDArray[np.int64], spacing: float) -> Values:
    """Distance of each point of a grid (H, W) of classes to the nearest point of another class; infinite where there is none.

    Args:
        classes: of the points.
        spacing: distance of neighbouring points.
    """
    from scipy.ndimage import distance_transform_edt  # not at the top: listing and describing need not wait for scipy

    distance = np.full(classes.shape, np.inf)
    for k in np.unique(classes):
        of_class = classes == k
        if not of_class.all():
            distance[of_class] = distance_transform_edt(of_class)[of_class] * spacing
    return distance


def area_under_roc(values: Values, chosen: NDArray[np.bool_]) -> float:
    """Chance that a value (N,) of the chosen is larger than one of the others; ties count half, NaN where one group is empty."""
    from scipy.stats import rankdata  # not at the top: listing and describing need not wait for scipy

    n = int(chosen.sum())
    if n in (0, len(chosen)):
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[chosen].sum() - n * (n + 1) / 2) / (n * (len(values) - n)))
