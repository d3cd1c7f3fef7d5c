"""What section 4.3 and the caption of figure 5 say of the table of `confined_deepfool`, and its summary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.lab import Frame, frame_of
from advlab.statistics import Claim, judge, median_interval, rank_correlation

SMALLER = (
    'section 4.3: "the attack must exploit genuine classification directions in order to achieve low norm"; figure 5, S_hi and '
    "S_lo"
)
INVERSE = (
    'figure 5: "the mean norms of the projections of the input images onto those subspaces: observe the inverse relationship '
    'between the two curves"'
)
CONTROL = "control: random directions"
LEAST_NORMS = 4  # that an image needs for a rank correlation


def verdicts(table: Frame, *, smaller: float, inverse: float) -> list[Claim]:
    """The claims of one run.

    Args:
        table: its rows.
        smaller: ratio of the norms on another subspace and on S_hi above which S_hi is the smaller.
        inverse: rank correlation below which the two curves are inverse.
    """
    if not len(table):
        return []
    claims = []
    hi = norms_by_d(table, "hi")
    for subspace, called, statement in (("lo", "S_lo", SMALLER), ("random", "random directions", CONTROL)):
        for d, others in norms_by_d(table, subspace).items():
            if d in hi:
                claims.append(
                    judge(
                        f"hi-below-{subspace}", median_interval(ratios(others, hi[d])), ">", smaller,
                        subset=f"d={d}", statement=statement,
                        quantity=f"median ratio of an image's norms on {called} and on S_hi; infinite where {called} alone "
                        "fails, 0 where S_hi alone does",
                    )
                )  # fmt: skip
    groups = {
        ("inverse", "S_hi and S_lo"): ("hi", "lo"), ("inverse-each", "S_hi"): ("hi",), ("inverse-each", "S_lo"): ("lo",),
        ("inverse-random", "random"): ("random",),
    }  # fmt: skip
    for (name, subset), names in groups.items():
        claims.append(
            judge(
                name, median_interval(image_correlations(table[table["subspace"].isin(names)])), "<", inverse, subset=subset,
                statement=INVERSE if names != ("random",) else CONTROL,
                quantity="median over images of Spearman's correlation of an image's confined norm and the norm of its projection, "
                "over subspaces and d, of images with four norms or more",
            )
        )  # fmt: skip
    return claims


def image_correlations(table: Frame) -> list[float]:
    """Of each image Spearman's correlation of its confined norms and the norms of its projections, over subspaces and d.

    Nested subspaces depend on each other, and images do not: so an image is a unit. A norm where DeepFool failed or was capped is
    longer than all others. NaN: there are fewer than four others, and the order of the failures would tell nothing but that of d.
    """
    found = []
    for _, rows in table[table["d"] < table["rank"]].groupby("sample"):
        norms = censored(rows)
        rho = rank_correlation(norms, rows["projected"], resamples=1).estimate
        found.append(math.nan if np.isfinite(norms).sum() < LEAST_NORMS else 0.0 if math.isnan(rho) else rho)
    return found


def norms_by_d(table: Frame, subspace: str) -> dict[int, dict[int, float]]:
    """d -> sample -> norm on a subspace, infinite where DeepFool failed or was capped; without all directions."""
    rows = table[(table["subspace"] == subspace) & (table["d"] < table["rank"])]
    return {int(d): dict(zip(part["sample"], censored(part), strict=True)) for d, part in rows.groupby("d")}


def censored(rows: Frame) -> Any:
    """(n,) norms, infinite where DeepFool failed or was capped: there is no shorter one that it finds."""
    return np.where(rows["outcome"] == "success", rows["l2"], math.inf)


def ratios(others: dict[int, float], hi: dict[int, float]) -> list[float]:
    """Of each image its norm over that on S_hi; NaN where both failed."""
    return [
        math.nan
        if math.isinf(norm) and math.isinf(hi[sample])
        else 0.0
        if math.isinf(hi[sample])
        else norm / hi[sample]
        for sample, norm in others.items()
    ]


def summarised(table: Frame) -> Frame:
    """Success, causes of failure, norms of perturbations and of projected images, of each run, subspace and d."""
    rows = []
    for (run, subspace, d), part in table.groupby(["run", "subspace", "d"], sort=False):
        success = part["outcome"] == "success"
        rows.append(
            {
                "run": run, "subspace": subspace, "d": d, "images": len(part), "success": success.mean(),
                "capped": (part["outcome"] == "capped").mean(),
                "median": float(median_interval(censored(part)).estimate),  # of all images
                "mean": float(part.loc[success, "l2"].mean()),  # of the successes
                "projected": float(part["projected"].mean()),
                "outside": float(part["outside"].max()),
            }
        )  # fmt: skip
    return frame_of(rows)
