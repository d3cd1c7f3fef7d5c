"""What figure 2 of jetley2018 shows, as claims for each class and over classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, share_interval
from advlab.statistics.claims import Networks

SECTION = "section 4.1: "
#: kind of direction -> the statement that it leaves classes as they are, and of how many networks it is
UNCHANGED: dict[str, tuple[str, Networks]] = {
    "flat": (
        SECTION + '"over a wide range of magnitudes, these directions do not influence the network in any way"',
        "all",
    ),
    "complement": ("directions other than the curved ones: instead of flat ones, which Lanczos does not tell", ""),
    "random": ("control: a random direction; where it holds, it is nothing special of flat ones", ""),
}


def at_the_ends(rows: Frame) -> Frame:
    """The rows of one direction at s >= 0, rising: counts of "both" and "either" are about s and -s."""
    return rows[rows["length"] >= 0].sort_values("length")


def half_moved(rows: Frame) -> float:
    """The smallest |s| that moves half of the images of other classes into the class, in the mean of s and -s; NaN: none.

    Args:
        rows: of one direction.
    """
    means = rows.assign(size=rows["length"].abs().round(9)).groupby("size")[["moved", "others"]].sum()
    reached = means.index[means["moved"] >= means["others"].clip(lower=1) / 2]
    return float(reached.min()) if len(reached) else math.nan


def share(count: Any, total: Any) -> Interval:
    """The share of `count` of `total` images with its interval."""
    return share_interval(np.arange(int(total)) < int(count)) if total else NOT_MEASURED


def class_score_claims(table: Frame, params: Any) -> list[Claim]:
    """The claims of one run.

    Args:
        table: rows of one run.
        params: thresholds, as `ClassScores.Params`.
    """
    verdicts: dict[str, list[Interval]] = {"positive": [], "negative": [], "flat": []}
    claims = []
    for target, rows in table[table["index"] == 1].groupby("target", sort=False):
        name = f"class {target}"
        of_kind: dict[str, Frame] = {str(kind): part for kind, part in rows.groupby("direction", sort=False)}
        positive = of_kind.get("positive", rows.iloc[:0])
        ends = {kind: at_the_ends(part).iloc[-1] for kind, part in of_kind.items()}
        half = half_moved(positive)
        moved = _curved(ends.get("positive"), +1, "moved_both", "others")
        stayed = _curved(ends.get("negative"), -1, "stayed_either", "own")
        kept = {kind: _kept(of_kind.get(kind), half) for kind in ("flat", "complement", "random")}
        claims += [
            judge(
                "moved-into-the-class", moved, ">", params.moved, subset=name, networks="all",
                statement=SECTION + '"as the perturbation magnitude increases (with either sign), the population\'s target class '
                'score approaches and then surpasses the highest non-target class score", most positive direction',
                quantity="share of images of other classes that are in the class at both ends of the positive direction",
            ),
            judge(
                "moved-out-of-the-class", stayed, "<", params.stayed, subset=name, networks="all",
                statement=SECTION + '"the same phenomenon is evident in reverse when using negative-curvature directions"',
                quantity="share of the class's own images that are still in it at one end of the negative direction or the other",
            ),
        ]  # fmt: skip
        for kind, (statement, networks) in UNCHANGED.items():
            if kind in of_kind:
                claims.append(
                    judge(
                        f"unchanged-{kind}", kept[kind], ">", params.unchanged, subset=name, networks=networks,
                        statement=statement, quantity=f"share of images whose class stays, {kind} direction at the length that "
                        "moves half along the positive one",
                    )
                )  # fmt: skip
        if "random" in ends:
            claims.append(
                judge(
                    "moved-random", share(ends["random"]["moved_both"], ends["random"]["others"]), "<", 1 - params.moved,
                    subset=name, statement="control: a random direction, to the ends of the same range",
                    quantity="share of images of other classes that are in the class at both ends of a random direction",
                )
            )  # fmt: skip
        verdicts["positive"].append(moved)
        verdicts["negative"].append(stayed)
        verdicts["flat"].append(kept["flat"])
    return [*claims, *over_classes(verdicts, params)]


def _curved(end: Any, sign: int, count: str, total: str) -> Interval:
    """The share at the end of a curved direction; not measured without one, or where its curvature has the other sign."""
    if end is None or not sign * end["curvature"] > 0:
        return NOT_MEASURED
    return share(end[count], end[total])


def _kept(rows: Frame | None, length: float) -> Interval:
    """The share of images whose class does not change at either sign of a length."""
    if rows is None or math.isnan(length):
        return NOT_MEASURED
    at = rows.iloc[int((rows["length"] - length).abs().argmin())]
    return share(at["unchanged_both"], at["samples"])


def over_classes(verdicts: dict[str, list[Interval]], params: Any) -> list[Claim]:
    """In most classes the estimate is on the claimed side.

    A class without a direction of the kind's sign is none in which it is so. Classes in which nothing moves half of the images
    do not tell how flat the others are, and are left out there.

    Args:
        verdicts: kind of direction -> the interval of each class.
        params: thresholds.
    """
    estimates = {kind: np.array([interval.estimate for interval in found]) for kind, found in verdicts.items()}
    flat = estimates["flat"]
    reached = {
        "positive": ("moved into the class", estimates["positive"] >= params.moved),
        "negative": ("still in the class", estimates["negative"] <= params.stayed),
        "flat": ("unmoved along the flat direction", np.where(np.isnan(flat), np.nan, flat >= params.unchanged)),
    }
    return [
        judge(
            f"most-classes-{kind}", share_interval(hits), ">", params.most, subset="over classes", networks="all",
            statement='section 1: "similar directions exist for all other classes"',
            quantity=f"share of classes in which the share of images {words} meets its threshold",
        )
        for kind, (words, hits) in reached.items()
    ]  # fmt: skip
