"""What figure 1 of jetley2018 shows, as claims for each class and kind of direction and over classes."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.metrics.curve_shapes import explained, linearised
from advlab.statistics import (
    NOT_MEASURED,
    Claim,
    Interval,
    judge,
    mean_interval,
    median_interval,
    rank_correlation,
    share_interval,
)
from advlab.statistics.claims import Networks

from .chosen_basis import is_curved

CURVED = ("positive", "negative")
SECTION = "section 1: "


def separable(rows: Frame, left: str, total: str) -> Interval:
    """The share of variance that G + H explains, 1 - sum left / sum total, with its interval over images (delta method).

    Args:
        rows: of one class and direction.
        left: column of the sums of squares that are left.
        total: column of those that are explained or left.
    """
    sums = rows[[left, total]].to_numpy(dtype=float)
    if not len(sums) or np.isnan(sums).any() or math.isnan(explained(sums[:, 0], sums[:, 1])):
        return NOT_MEASURED
    return mean_interval(linearised(sums[:, 0], sums[:, 1]), most=1)


def score_curve_claims(table: Frame, params: Any) -> list[Claim]:
    """The claims of one run.

    Args:
        table: rows of one run.
        params: thresholds, as `ScoreCurves.Params`.
    """
    claims = []
    over_classes: dict[tuple[str, str], list[bool]] = defaultdict(list)
    asymmetric = []
    curved = is_curved(params)
    networks: Networks = "all" if curved else ""  # of singular vectors the paper does not say it
    first = table[(table["index"] == 1) & table["direction"].isin(CURVED if curved else ("hi",))]
    for (target, kind), rows in first.groupby(["target", "direction"], sort=False):
        numbers = {
            "symmetry": median_interval(rows["symmetry"]), "monotonicity": median_interval(rows["monotonicity"]),
            "separability": separable(rows, "left", "total"), "common-shape": separable(rows, "left", "within"),
            "separability-of-component": separable(rows, "aligned_left", "aligned_total"),
        }  # fmt: skip
        if curved and not (rows["curvature"].iloc[0] > 0 if kind == "positive" else rows["curvature"].iloc[0] < 0):
            numbers = dict.fromkeys(numbers, NOT_MEASURED)  # there is no direction of this sign
        for name, interval in numbers.items():
            statement, quantity, field = WORDS[name]
            threshold = getattr(params, field)
            claims.append(
                judge(
                    name, interval, ">", threshold, subset=f"class {target}, {kind}", networks=networks,
                    statement=SECTION + statement, quantity=quantity,
                )
            )  # fmt: skip
            over_classes[name, kind].append(interval.estimate >= threshold)
        asymmetric.append(_below(numbers["symmetry"], params.symmetry, classes=len(first["target"].unique())))
        if kind == "positive":
            both = first[first["target"] == target].groupby("direction")["curvature"].first()
            opposed = (
                both["positive"] > 0 > both.get("negative", math.nan)
            )  # otherwise one of them hardly changes the score
            claims.append(
                judge(
                    "independence", median_interval(rows["interaction"]) if opposed else NOT_MEASURED, "<", params.interaction,
                    subset=f"class {target}, positive and negative", networks="all",
                    statement=SECTION + '"directions under study can be used to alter the nets\' predictions almost '
                    'independently of each other"',
                    quantity="median share of the interaction of two directions in the score's variance on their grid",
                )
            )  # fmt: skip
    claims += [
        judge(
            f"most-classes-{name}", share_interval(hits), ">", params.most, subset=f"over classes, {kind}", networks=networks,
            statement=SECTION + WORDS[name][0] + '; "similar directions exist for all other classes"',
            quantity=f"share of classes whose {WORDS[name][1]} reaches its threshold",
        )
        for (name, kind), hits in over_classes.items()
    ]  # fmt: skip
    if not curved:
        return claims
    return [*claims, sensitivity(table, params.sensitivity), *footnote_8(table, asymmetric, params.symmetry)]


#: of each number: the paper's words, the number's, and the parameter that holds its threshold
WORDS = {
    "symmetry": (
        '"often approximately symmetrical about some point s_0"', "median R^2 of the mirrored curve", "symmetry",
    ),
    "monotonicity": ('"monotonic in both half-lines"', "median monotonicity of the worse half-line", "monotonicity"),
    "separability": (
        '"approximately additively separable"', "share of the score's variance that G(s) + H(image) explains", "separability",
    ),
    "separability-of-component": (
        '"F_c([i^d, i^perp]) = G(i^d) + H(i^perp)", of the whole component along d as the paper writes it',
        "share of the score's variance that G(i^d) + H(image) explains", "separability",
    ),
    "common-shape": (
        '"the shapes of the curves change very little between most samples" (4.1): without what differs between images alone',
        "share of the score's variance along s that a common G(s) explains", "separability",
    ),
}  # fmt: skip


def _below(interval: Interval, threshold: float, classes: int) -> float:
    """Whether a class is below a threshold beyond doubt, among so many classes with two directions each; NaN: not measured."""
    if math.isnan(interval.estimate):
        return math.nan
    return float(interval.at(1 - 0.05 / (2 * classes)).high < threshold)


def sensitivity(table: Frame, above: float) -> Claim:
    """Section 4.1: the curvature's magnitude says how much the score depends on a direction."""
    curved = table[table["direction"].isin(CURVED)]
    means = curved.groupby(["target", "direction", "index"], sort=False)[["curvature", "slope"]].mean()
    return judge(
        "sensitivity", rank_correlation(means["curvature"].abs(), means["slope"]), ">", above, subset="over directions",
        statement='section 4.1: "with the curvature magnitude representing the sensitivity of class identity"',
        quantity="rank correlation of |lambda| and the mean slope of the score, over curved directions of all classes",
    )  # fmt: skip


def footnote_8(table: Frame, asymmetric: list[float], threshold: float) -> list[Claim]:
    """Of MNIST alone: its scores need not be symmetric, so that one curved direction that is not is enough."""
    if not len(table) or str(table["dataset"].iloc[0]) != "mnist":
        return []
    return [
        judge(
            "footnote-8", share_interval(asymmetric), ">", 0.0, subset="over classes",
            statement='conclusion, footnote 8: axis-symmetric, "though not necessarily so for MNIST"',
            quantity=f"share of classes' first curved directions whose median R^2 is below {threshold:g} beyond doubt",
        )
    ]  # fmt: skip
