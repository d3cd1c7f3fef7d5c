"""Networks trained with a penalty beside the same training without it: paired numbers by seed, and the claims about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, judge, median_interval

PLAIN = "none"  # the training without a penalty
SMALL, LARGE = 1.0, 10.0  # "a very small region" ends at 1; "very non-isotropic" is said of 10


def against_plain(plain: Frame, penalised: Frame) -> dict[str, Any]:
    """Series over seeds: ratios with the penalty over without it, in the median image that both networks classify correctly.

    `longer` is that of the smallest perturbation, `range_R` and `logit_range_R` those of the ranges at radius R; images in which
    one of the two is 0 or was not measured are left out. A perturbation that the attack did not find is longer than any: leaving
    it out would take the most stable images from the penalised network. `cost` is the clean accuracy without less that with the
    penalty.

    Args:
        plain: rows of one run without a penalty.
        penalised: with one penalty.
    """
    keys = ["seed", "sample", "radius"]
    columns = ["correct", "length", "range", "logit_range", "test_correct", "test_images"]
    pairs = plain.set_index(keys)[columns].join(penalised.set_index(keys)[columns], rsuffix="_after", how="inner")
    firsts = pairs.groupby("seed").first()
    cost = (firsts["test_correct"] - firsts["test_correct_after"]) / firsts["test_images"]
    both = pairs[pairs["correct"] & pairs["correct_after"]]
    found = both[["length", "length_after"]].fillna(np.inf)
    found[np.isinf(found).all(axis=1)] = np.nan  # found for neither: the image does not tell
    both = both.assign(length=found["length"], length_after=found["length_after"])

    def ratios(column: str, radius: float) -> Any:
        """(seeds,) median ratios; logarithms, so that with and without a penalty are treated alike."""
        rows = both[both.index.get_level_values("radius") == radius]
        rows = rows[(rows[column] > 0) & (rows[f"{column}_after"] > 0)]
        with np.errstate(divide="ignore"):  # of a length that only the training without a penalty lacks
            return np.exp(np.log(rows[f"{column}_after"] / rows[column]).groupby("seed").median())

    radii = sorted(set(plain["radius"]))
    series = {"longer": ratios("length", radii[0]), "cost": cost}
    for radius in radii:
        series[f"range_{radius:g}"] = ratios("range", radius)
        series[f"logit_range_{radius:g}"] = ratios("logit_range", radius)
    return series


def penalty_claims(table: Frame, *, improves: float, comparable: float) -> list[Claim]:
    """What the paper says of regularised networks, for each penalty.

    Args:
        table: rows of one run.
        improves: ratio of smallest perturbations above which the stability improves significantly, and of ranges, with the
            penalty below without it, from which on the function is more isotropic at 10.
        comparable: loss of clean accuracy below which networks are comparable.
    """
    plain = table[table["penalty"] == PLAIN]
    section = "section 2.2: "
    stability = section + '"regularizing by the aforementioned terms might not improve the stability significantly"'
    small = (
        section
        + 'to minimise the norms of gradient and Hessian "can make a function isotropic [...] in a very small region"'
    )
    claims = []
    for penalty in dict.fromkeys(table["penalty"]):
        if penalty == PLAIN:
            continue
        series = against_plain(plain, table[table["penalty"] == penalty])
        claims += [
            judge(
                "stability-not-improved", median_interval(series["longer"]), "<", improves, subset=penalty,
                statement=stability, quantity="smallest perturbation, with the penalty over without",
            ),
            judge(
                "comparable", median_interval(series["cost"]), "<", comparable, subset=penalty,
                statement="control: the accuracy that it costs", quantity="clean accuracy, without less with the penalty",
            ),
        ]  # fmt: skip
        radii = sorted(set(table["radius"]))
        if radii[0] < SMALL:
            claims.append(
                judge(
                    "more-isotropic-near", median_interval(series[f"range_{radii[0]:g}"]), "<", 1.0, subset=penalty,
                    statement=small, quantity=f"range({radii[0]:g}), with the penalty over without",
                )
            )  # fmt: skip
        if LARGE in radii:
            claims.append(
                judge(
                    "no-more-isotropic-far", median_interval(series[f"range_{LARGE:g}"]), ">", 1 / improves, subset=penalty,
                    statement=small + ": no further", quantity=f"range({LARGE:g}), with the penalty over without",
                )
            )  # fmt: skip
    return claims
