"""The statements of section 4.3 of jetley2018 about where adversarial perturbations lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, mean_interval, rank_correlation

from .chosen_basis import is_curved
from .subspace_family import contrasted, only

FOLLOWS = (
    'section 4.3: "the direct relationship between the fraction of adversarial norm in given subspaces and the corresponding '
    'usefulness of those subspaces for classification"'
)
HIGH = (
    'section 4.3: "adversarial attack vectors evince high components in subspaces spanned by high-curvature directions", more '
    "than random vectors do"
)
HIGH_SINGULAR = "section 4.3: perturbations have more in the span of the first singular vectors than random vectors do"
LOW_SINGULAR = "section 4.3: perturbations have less in the span of the last singular vectors than random vectors do"
LOW = 'section 2.2: the near-flat directions "are insensitive to attack": perturbations have less there than random vectors'


@dataclass(frozen=True)
class Correlations:
    """Rank correlations over d and subspaces between share and accuracy.

    Attributes:
        groups: how many there are.
        rho: mean over groups.
        low, high: of its 95 % interval over groups.
        points: pairs (d, subspace) that each is of.
        excess: mean over points and groups of the share less sqrt(rank / D).
    """

    groups: int
    rho: float
    low: float
    high: float
    points: int
    excess: float


def norm_claims(table: Frame, params: Any) -> list[Claim]:
    """Whether norm lies where accuracy lies, in curved and not in flat directions, for each perturbation.

    Args:
        table: of one run.
        params: of `SubspaceNorms`, with the thresholds.
    """
    if params.basis == "random":
        return []  # a control of the others, of which nothing is claimed
    claims = []
    of_random = group_correlations(only(table, perturbation="random"))
    first, last = contrasted(params, table)
    few = table[(table["d"] > 0) & (table["d"] * table["classes"] <= params.small * table["dimension"])]
    d = int(few["d"].max()) if len(few) else 0
    few, at = few[few["d"] == d], f", d = {d}" if d else ", no small d"
    for kind in (kind for kind in params.perturbations if kind != "random"):
        rows = only(table, perturbation=kind)
        rhos = group_correlations(rows)
        above = rhos - of_random.mean() if len(of_random) else rhos[:0]
        curved, flat = (excess(only(few, perturbation=kind, subspace=space)) for space in (first, last))
        claims += [
            judge(
                "norm-where-accuracy", mean_interval(rhos, least=-1, most=1), ">", params.correlation,
                subset=kind, statement=FOLLOWS,
                networks="all",
                quantity="rank correlation of share and accuracy over d and subspaces, mean over groups",
            ),
            judge(
                "above-random-vectors", mean_interval(above, least=-2, most=2), ">", 0, subset=kind,
                statement="control: larger subspaces hold more of any vector, and more accuracy",
                quantity="that rank correlation less the one of random vectors",
            ),
            judge(
                "high-in-curved", curved, ">", 0, subset=kind + at, statement=HIGH if is_curved(params) else HIGH_SINGULAR,
                quantity=f"share in S_{first} less sqrt(rank / D), mean over groups",
            ),
            judge(
                "low-in-flat", flat, "<", 0, subset=kind + at, statement=LOW if is_curved(params) else LOW_SINGULAR,
                quantity=f"share in S_{last} less sqrt(rank / D), mean over groups",
            ),
        ]  # fmt: skip
    return claims


def pairs(rows: Frame) -> Frame:
    """The rows whose subspace has some dimensions and not all, which hold any vector alike; without the random control."""
    return rows[(rows["rank"] > 0) & (rows["rank"] < rows["dimension"]) & (rows["subspace"] != "random")]


def group_correlations(rows: Frame) -> np.ndarray[Any, Any]:
    """(groups,) rank correlations of share and accuracy over d and subspaces, of one kind of perturbations."""
    found = [
        rank_correlation(group["share"], group["correct"] / group["accuracy_images"], resamples=1).estimate
        for _, group in pairs(rows).groupby("group")
    ]
    return np.array([rho for rho in found if rho == rho])


def rank_correlations(rows: Frame) -> Correlations:
    """The numbers of one kind of perturbations for a summary."""
    rhos, counted = mean_interval(group_correlations(rows), least=-1, most=1), pairs(rows)
    points = len(counted.drop_duplicates(["subspace", "d"]))
    apart = float((counted["share"] - counted["expected"]).mean()) if points else float("nan")
    return Correlations(rhos.samples, rhos.estimate, rhos.low, rhos.high, points, apart)


def excess(rows: Frame) -> Interval:
    """Mean over groups of the share less that of a random vector."""
    return mean_interval(rows["share"] - rows["expected"], least=-1, most=1) if len(rows) else NOT_MEASURED
