"""The paper's headline, judged on a table of `suppression`: robustness by suppression costs accuracy."""

from __future__ import annotations

from typing import Any

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, judge

from .chosen_basis import is_curved
from .joined_intervals import difference, largest, scaled, smallest
from .subspace_family import contrasted, leading
from .suppression_points import Point, points_of

COST = (
    "section 1: \"efforts to improve robustness by suppressing nets' responses to components in these directions [...] cannot "
    'simultaneously retain full classification accuracy"'
)
LOWER = (
    'section 5: "these robustness gains may be lower than they appear, as the network actually remains vulnerable to a '
    'properly designed attack along the remaining directions"'
)


def suppression_claims(table: Frame, params: Any) -> list[Claim]:
    """Whether any projection gains robustness for free, and whether curved directions are special among random ones.

    A projection gains robustness where the median ratio of smallest norms is above `gain` by its interval, all of these together
    (Bonferroni). Of those that do, the least loss of accuracy is claimed to be above `lost`; where none gains, there is nothing
    that could contradict the claim, and it is not measured.

    Args:
        table: of one run.
        params: of `Suppression`, with the thresholds.
    """
    if params.basis == "random":
        return []  # the control of the others, of which nothing is claimed
    name = "curved" if is_curved(params) else "hi"
    points = [point for point in points_of(table) if is_partial(point)]
    claims = []
    for mode in params.modes:
        for words, kinds in ((name, leading(params)), ("random", ("random",))):
            chosen = [p for p in points if p.rows["mode"].iloc[0] == mode and p.rows["subspace"].iloc[0] in kinds]
            gaining = [p for p in chosen if gains(p, params.gain, len(chosen))]
            control = words == "random"
            claims.append(
                judge(
                    "free-robustness-random" if control else "free-robustness",
                    smallest([p.lost for p in gaining]), ">", params.lost, subset=f"{mode} {words}",
                    statement="control: the same of random directions" if control else COST,
                    quantity=f"least accuracy lost by the {len(gaining)} of {len(chosen)} projections that gain robustness",
                    networks="" if control else "all",
                )
            )  # fmt: skip
        claims += [
            no_free_point(points, params, mode, name, leading(params)),
            no_free_point(points, params, mode, "random", ("random",)),
        ]
        curved = [p for p in points if p.rows["mode"].iloc[0] == mode and p.rows["subspace"].iloc[0] in leading(params)]
        accurate = [p for p in curved if len(p.both) >= len(p.rows) / 2]
        claims.append(
            judge(
                "lower-than-it-appears", largest([p.overstated for p in accurate]), ">", params.overstated, subset=f"{mode} {name}",
                statement=LOWER,
                quantity="most over d of the share that withstands transferred perturbations less that which withstands all of "
                "their length",
            )
        )  # fmt: skip
    return [*claims, dearer_than_random(points, params)]


def no_free_point(points: list[Point], params: Any, mode: str, words: str, kinds: tuple[str, ...]) -> Claim:
    """Whether every projection fails to gain robustness or loses accuracy; it decides where none gains, too.

    The margin of a projection is the larger of (gain - ratio) / (gain - 1) and (loss - lost) / lost: above 0 it is not free.
    """
    margins = [
        largest(
            [
                scaled(p.ratio, -1 / (params.gain - 1), params.gain / (params.gain - 1)),
                scaled(p.lost, 1 / params.lost, -1.0),
            ]
        )
        for p in points
        if at(p)[0] == mode and at(p)[1] in kinds
    ]
    return judge(
        "no-free-point-random" if words == "random" else "no-free-point", smallest(margins), ">", 0, subset=f"{mode} {words}",
        statement="control: the same of random directions" if words == "random" else COST,
        quantity=f"least margin of {len(margins)} projections, by which one gains too little or loses too much",
        networks="" if words == "random" else "all",
    )  # fmt: skip


def dearer_than_random(points: list[Point], params: Any) -> Claim:
    """Whether removing a small number of curved directions loses more accuracy than removing random ones."""
    first, _ = contrasted(params, points[0].rows) if points else ("most", "flat")
    curved = is_curved(params)
    removed = "most curved" if curved else "first singular"
    small = [p for p in points if is_small(p, params.small)]
    d = max((int(p.rows["d"].iloc[0]) for p in small), default=0)
    lost = {
        kind: [p.lost for p in small if p.rows["d"].iloc[0] == d and at(p) == ("remove", kind)]
        for kind in (first, "random")
    }
    interval = difference(lost[first][0], lost["random"][0]) if lost[first] and lost["random"] else NOT_MEASURED
    return judge(
        "dearer-than-random", interval, ">", 0, subset=f"remove, d = {d}" if d else "remove, no small d",
        statement=f"control: suppressing {'curved' if curved else removed} directions costs more accuracy than suppressing random "
        "ones of equal number",
        quantity=f"accuracy lost without the {removed} directions, less that without random ones",
    )  # fmt: skip


def at(point: Point) -> tuple[str, str]:
    """Mode and subspace of a projection."""
    return str(point.rows["mode"].iloc[0]), str(point.rows["subspace"].iloc[0])


def is_partial(point: Point) -> bool:
    """Whether the projection takes something away, and leaves something."""
    return bool(0 < point.rows["rank"].iloc[0] < point.rows["dimension"].iloc[0])


def is_small(point: Point, share: float) -> bool:
    """Whether d directions of each class are at most a share of all dimensions."""
    first = point.rows.iloc[0]
    return bool(first["d"] * first["classes"] <= share * first["dimension"])


def gains(point: Point, gain: float, tests: int) -> bool:
    """Whether the median ratio of smallest norms is above `gain`, by an interval that covers for `tests` of them together."""
    ratio = point.ratio
    return ratio.samples > 0 and ratio.at(1 - 0.05 / tests).low > gain
