"""What the table of `curvature` says of sections 2.2 and 3 of jetley2018: numbers of each class, and verdicts."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from advlab.lab import Frame, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, median_interval, rank_correlation, share_interval

ENDS = 5  # pairs of either end whose residuals the summary shows
SIGNS = ("positive", "negative")


class Thresholds(Protocol):
    """Parameters of `Curvature` that the claims need."""

    @property
    def flat(self) -> float: ...  # noqa: D102
    @property
    def bend(self) -> float: ...  # noqa: D102
    @property
    def most(self) -> float: ...  # noqa: D102
    @property
    def overlap(self) -> float: ...  # noqa: D102
    @property
    def correlation(self) -> float: ...  # noqa: D102


def numbers_of_class(rows: Frame, flat: float) -> dict[str, Any]:
    """What is reported of the rows of one class."""
    basis, random = rows[rows["direction"] == "principal"].sort_values("rank"), rows[rows["direction"] == "random"]
    curvatures = basis["curvature"].to_numpy()
    largest = float(np.abs(curvatures).max())
    checked = basis["residual"].dropna()
    ends = [*checked.head(ENDS), *checked.tail(ENDS)]
    most_curved = basis.iloc[0 if abs(curvatures[0]) >= abs(curvatures[-1]) else -1]
    return {
        "points": int(basis["points"].iloc[0]), "step": basis["step"].iloc[0], "directions": len(basis),
        "most_positive": float(curvatures.max()), "most_negative": float(curvatures.min()),
        "rayleigh_positive": basis["rayleigh"].iloc[0], "rayleigh_negative": basis["rayleigh"].iloc[-1],
        "largest_residual": max(ends) if ends else math.nan, "asymmetry": basis["asymmetry"].iloc[0],
        "bend": basis["bend"].max(), "flat": flat_share(curvatures, int(basis["size"].iloc[0]), flat * largest),
        "positive": float((curvatures > 0).mean()) if len(basis) == basis["size"].iloc[0] else math.nan,
        "overlap_positive": basis["overlap_positive"].iloc[0], "overlap_negative": basis["overlap_negative"].iloc[0],
        "correlation_positive": correlation(basis, 1).estimate, "correlation_negative": correlation(basis, -1).estimate,
        "flip_norm_curved": most_curved["flip_norm"], "flip_norm_random": random["flip_norm"].iloc[0] if len(random) else math.nan,
    }  # fmt: skip


def flat_share(curvatures: np.ndarray[Any, Any], size: int, bound: float) -> float:
    """Share of all `size` directions whose |curvature| is at most `bound`; NaN where it does not follow from those known.

    Of Lanczos the directions between both ends are unknown: they are flat if the innermost known one of either end is.

    Args:
        curvatures: (m,) descending; of Lanczos m / 2 of either end.
        size: of all directions.
        bound: largest |curvature| of a flat one.
    """
    known_flat = int((np.abs(curvatures) <= bound).sum())
    unknown, half = size - len(curvatures), len(curvatures) // 2
    between = np.abs(curvatures[half - 1 : half + 1])
    return math.nan if unknown and between.max() > bound else (known_flat + unknown) / size


def correlation(basis: Frame, sign: int) -> Interval:
    """Rank correlation of |curvature| and flipping norm over the followed directions of a sign, with its interval."""
    followed = basis[(basis["images"] > 0) & (basis["curvature"] * sign > 0)]
    return rank_correlation(followed["curvature"].abs(), followed["flip_norm"])


def curvature_summary(table: Frame, params: Thresholds) -> Frame:
    """A line for each run and class."""
    groups = table.groupby(["run", "target", "target_name"], sort=False) if len(table) else []
    return frame_of(
        [
            {"run": run, "target": target, "target_name": name, **numbers_of_class(rows, params.flat)}
            for (run, target, name), rows in groups
        ]
    )


def curvature_claims(table: Frame, params: Thresholds) -> list[Claim]:
    """The statements of sections 2.2, 3 and 4.1; those over classes have classes as units, others directions."""
    classes = [rows for _, rows in table.groupby("target", sort=False)] if len(table) else []
    numbers = [numbers_of_class(rows, params.flat) for rows in classes]
    bends = [of["bend"] for of in numbers]
    curved = [of for of in numbers if of["bend"] >= params.bend]
    largest = f", {max(bends):.2g} at most" if bends else ""
    claims = [
        judge(
            "curved", share_interval([bend >= params.bend for bend in bends]) if bends else NOT_MEASURED, ">", params.most,
            subset="classes", statement='section 3: "principal directions and principal curvatures of the ... decision '
            'boundaries": there is curvature (of a linear network there is none)',
            quantity=f"share of classes in which a direction's gradient changes by {params.bend:g} or more in a step{largest}",
        ),
        judge(
            "mostly-flat", median([of["flat"] for of in curved]), ">", params.most, subset="classes", networks="all",
            statement='section 2.2: "a majority of image-space directions correspond to near-flatness of the decision boundary"',
            quantity=f"median over curved classes of the share of directions with |curvature| <= {params.flat:g} of the largest",
        ),
        *(
            judge(
                "shared", median([of[f"overlap_{sign}"] for of in curved]), ">", params.overlap, subset=f"{sign}, classes",
                networks="all", statement='section 2.2: "the directions in question are observed to be shared over exemplars"',
                quantity="median over curved classes of the mean cos^2 between the top subspaces of disjoint halves",
            )
            for sign in SIGNS
        ),
        judge(
            "curved-below-random", below_random(curved), ">", params.most, subset="classes", networks="all",
            statement='section 2.2: "along the remaining directions, those of significant curvature, the network is indeed '
            'vulnerable": control, a random direction',
            quantity="share of curved classes whose most curved direction flips at a smaller norm than a random one",
        ),
    ]  # fmt: skip
    statement = 'section 3: "higher curvature implying lower-norm adversaries"'
    for name in SIGNS:
        rhos = [of[f"correlation_{name}"] for of in curved]
        claims.append(
            judge(
                "higher-curvature-lower-norm", median(rhos), "<", -params.correlation, subset=f"{name}, classes",
                networks="all", statement=statement,
                quantity="median over curved classes of the rank correlation of |curvature| and flipping norm",
            )
        )  # fmt: skip
    for rows, of in zip(classes, numbers, strict=True):
        basis = rows[rows["direction"] == "principal"]
        for sign, name in ((1, "positive"), (-1, "negative")) if of["bend"] >= params.bend else ():
            claims.append(
                judge(
                    "higher-curvature-lower-norm-of-a-class", correlation(basis, sign), "<", -params.correlation,
                    subset=f"{name}, {rows['target_name'].iloc[0]}", statement=statement,
                    quantity="rank correlation of |curvature| and median flipping norm over directions of the class",
                )
            )  # fmt: skip
    return claims


def below_random(numbers: list[dict[str, Any]]) -> Interval:
    """Share of the classes whose most curved direction, one against one, flips at a smaller norm than a random one.

    Unknown where neither does. Of directions that differ by nothing it is one half.
    """
    pairs = [(of["flip_norm_curved"], of["flip_norm_random"]) for of in numbers]
    known = [pair for pair in pairs if not math.isnan(sum(pair)) and min(pair) < math.inf]
    unknown = sum(pair == (math.inf, math.inf) for pair in pairs)
    return share_interval([a < b for a, b in known], unknown=unknown) if known else NOT_MEASURED


def median(values: list[float]) -> Interval:
    """The median of what is known with its interval."""
    known = [value for value in values if not math.isnan(value)]
    return median_interval(known) if known else NOT_MEASURED
