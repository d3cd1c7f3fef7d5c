"""Whether the objectives of different layers, and of different networks, ask for the same points (barati2021, IV-B and V)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, judge, median_interval

LARGEST = 0.9  # quantile: a set of optimal points is the largest tenth of an objective


class Pair(NamedTuple):
    """Two objectives on the same points: columns of `mlp_objectives`, and the words of a claim about them."""

    first: str
    second: str
    claim: str
    subset: str
    statement: str


LAYERS = 'section IV-B: "the optimal points of MLPs are not unique even up to the layers of a single network"'
NETWORKS = (
    'section V: "we did not observe any hypothesis independent relation between the distribution of the optimal points and the '
    'domain set"'
)
PAIRS = {
    "layers_1_2": Pair("hard_1", "hard_2", "layers-differ", "hidden layers 1 and 2", LAYERS),
    "layers_1_3": Pair("hard_1", "hard", "layers-differ", "hidden layers 1 and 3", LAYERS),
    "layers_2_3": Pair("hard_2", "hard", "layers-differ", "hidden layers 2 and 3", LAYERS),
    "between_networks": Pair("hard", "other_hard", "networks-differ", "two networks", NETWORKS),
    "between_networks_adversarial": Pair(
        "adversarial", "other_adversarial", "control-adversarial-differs", "two networks",
        "control: the adversarial objective, which is made for one hypothesis, differs between networks as well",
    ),
}  # fmt: skip


def agreement_numbers(square: Frame) -> dict[str, float]:
    """Rank correlation of each of the PAIRS over the points of one network, and `_tenth`, the overlap of their optimal points.

    The overlap is the share of the largest tenth of one objective that is in the largest tenth of the other: 1 of an objective
    with itself, .1 in the mean of two that are independent. All are NaN where a column is.

    Args:
        square: rows of `mlp_objectives` of one network.
    """
    numbers = {}
    for name, pair in PAIRS.items():
        one, two = square[pair.first].to_numpy(), square[pair.second].to_numpy()
        numbers[name] = correlation_of_ranks(one, two)
        largest = [values >= np.quantile(values, LARGEST) for values in (one, two)]
        both = (largest[0] & largest[1]).sum()
        numbers[f"{name}_tenth"] = (
            float(both / largest[0].sum()) if largest[0].any() and largest[1].any() else float("nan")
        )
    return numbers


def correlation_of_ranks(one: np.ndarray, two: np.ndarray) -> float:
    """Spearman's rank correlation of two series (N,); NaN where a value is."""
    from scipy.stats import rankdata  # not at the top: listing and describing need not wait for scipy

    if np.isnan(one).any() or np.isnan(two).any():
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(two))[0, 1])


def agreement_claims(numbers: Frame, loss: str, unlike: float) -> list[Claim]:
    """That no two layers of a network, and no two networks, ask for the same points: the median over networks.

    A negative correlation is no agreement: where one objective has its optimal points, the other has none.

    Args:
        numbers: `agreement_numbers`, a row for each network.
        loss: of the objectives.
        unlike: the rank correlation below which two objectives count as different.
    """
    return [
        judge(
            pair.claim, median_interval(numbers[name]), "<", unlike, subset=f"loss {loss}, {pair.subset}",
            statement=pair.statement,
            quantity=f"rank correlation of the {pair.first.split('_')[0]} objectives over the square",
        )
        for name, pair in PAIRS.items()
    ]  # fmt: skip
