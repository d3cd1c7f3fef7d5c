"""What figure 2 of jetley2018 shows, as claims for each class and over classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, share_interval
from advlab.statistics.claims import Networks

from .chosen_basis import is_curved

SECTION = "section 4.1: "
LAST = 'section 4.3: an attack "must exploit genuine classification directions": the last singular vector is none'
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
    if not is_curved(params):
        return unchanged_by_singular_vectors(table, params)
    reached: dict[str, list[float]] = {"positive": [], "negative": [], "flat": []}
    claims = []
    for target, rows in table[table["index"] == 1].groupby("target", sort=False):
        name = f"class {target}"
        of_kind: dict[str, Frame] = {str(kind): part for kind, part in rows.groupby("direction", sort=False)}
        positive = of_kind.get("positive", rows.iloc[:0])
        ends = {kind: at_the_ends(part).iloc[-1] for kind, part in of_kind.items()}
        half = half_moved(positive)
        rising, falling = _has_sign(ends.get("positive"), +1), _has_sign(ends.get("negative"), -1)
        moved = share(ends["positive"]["moved_both"], ends["positive"]["others"]) if rising else NOT_MEASURED
        stayed = share(ends["negative"]["stayed_either"], ends["negative"]["own"]) if falling else NOT_MEASURED
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
        reached["positive"].append(_meets(moved.estimate >= params.moved, moved) if rising else 0.0)
        reached["negative"].append(_meets(stayed.estimate <= params.stayed, stayed) if falling else 0.0)
        reached["flat"].append(_meets(kept["flat"].estimate >= params.unchanged, kept["flat"]))
    return [*claims, *over_classes(reached, params)]


def unchanged_by_singular_vectors(table: Frame, params: Any) -> list[Claim]:
    """Of bases without curvature, whose directions are those of all classes: the last singular vector leaves classes as they are.

    At the smallest |s| at which the first one has changed half of the images' classes, in the mean of s and -s. Of random
    directions nothing is claimed.
    """
    rows = table[(table["index"] == 1) & (table["target"] == table["target"].min())]
    first = rows[rows["direction"] == "hi"]
    if not len(first):
        return []
    means = first.assign(size=first["length"].abs().round(9)).groupby("size")[["unchanged", "samples"]].sum()
    changed = means.index[means["unchanged"] <= means["samples"] / 2]
    length = float(changed.min()) if len(changed) else math.nan
    return [
        judge(
            f"unchanged-{kind}", _kept(rows[rows["direction"] == kind], length), ">", params.unchanged, subset="all classes",
            statement=statement, quantity=f"share of images whose class stays, {kind} direction at the length that changes the "
            "class of half of the images along the first singular vector",
        )
        for kind, statement in (("lo", LAST), ("random", UNCHANGED["random"][0]))
    ]  # fmt: skip


def _has_sign(end: Any, sign: int) -> bool:
    """Whether there is a direction of the kind, and its curvature has the sign of its kind."""
    return end is not None and bool(sign * end["curvature"] > 0)


def _meets(met: bool, interval: Interval) -> float:
    """Whether a class meets a threshold; NaN where it was not measured."""
    return math.nan if math.isnan(interval.estimate) else float(met)


def _kept(rows: Frame | None, length: float) -> Interval:
    """The share of images whose class does not change at either sign of a length."""
    if rows is None or not len(rows) or math.isnan(length):
        return NOT_MEASURED
    at = rows.iloc[int((rows["length"] - length).abs().argmin())]
    return share(at["unchanged_both"], at["samples"])


def over_classes(reached: dict[str, list[float]], params: Any) -> list[Claim]:
    """In most classes the estimate is on the claimed side.

    A class without a direction of the kind's sign is none in which it is so. Classes that tell nothing are left out: those that
    no image is in, or all are; and of flat directions those in which nothing moves half of the images.

    Args:
        reached: kind of direction -> of each class whether its share meets the threshold; NaN: it was not measured.
        params: thresholds.
    """
    words = {
        "positive": "moved into the class", "negative": "still in the class", "flat": "unmoved along the flat direction",
    }  # fmt: skip
    return [
        judge(
            f"most-classes-{kind}", share_interval(hits), ">", params.most, subset="over classes", networks="all",
            statement='section 1: "similar directions exist for all other classes"',
            quantity=f"share of classes in which the share of images {words[kind]} meets its threshold",
        )
        for kind, hits in reached.items()
    ]  # fmt: skip
