"""What sections 2.2 and 4 of gunther2017 expect of stronger preprocessing, and its summary, from `preprocessing_strength`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.lab import Frame, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, median_interval, share_interval

from ..aghdam2017.paired_shares import paired_difference
from .adversarial_stages import ADAPTIVE, CLEAN

STRONGER = ("shift", "blur", "noise")
CROPS = ("crops", "half-pixel crops")
GROUP = ["images", "arithmetic", "sweep", "defense", "strength", "factor"]


def strength_claims(params: Any, table: Frame) -> list[Claim]:
    """The statements about each sweep and attack, about images beyond the smallest weight, and about adaptive attacks.

    Args:
        params: of `PreprocessingStrength`, whose thresholds they are.
        table: of one run.
    """
    claims: list[Claim] = []
    for (images, arithmetic), rows in table[table["images"] != ADAPTIVE].groupby(["images", "arithmetic"], sort=False):
        subset = f"{images}, float32" if arithmetic == "float32" else str(images)
        for sweep in STRONGER:
            claims += stronger(subset, sweep, rows[rows["sweep"] == sweep])
        if images != CLEAN:
            claims += survivors(params, subset, rows)
            claims += beyond(params, subset, rows[rows["sweep"] == "beyond"])
    for defense in dict.fromkeys(table.loc[table["images"] == ADAPTIVE, "defense"]):
        if defense != "none":
            claims.append(
                judge(
                    "no-farther", median_interval(norm_ratios(table, str(defense))), "<", params.no_farther, subset=str(defense),
                    statement='section 4: "people might be able to generate adversarial images that are based on several crops of '
                    'the image, so a simple cropping might not help"',
                    quantity="median ratio of the minimal norms found behind the defense and without it (inf: none found)",
                )
            )  # fmt: skip
    return claims


def stronger(subset: str, sweep: str, rows: Frame) -> list[Claim]:
    """More is corrected, and accuracy is lost, at the strongest setting of a sweep than at the weakest."""
    strengths = sorted(rows["strength"].unique())
    if len(strengths) < 2:
        return []
    weakest, strongest = (rows[rows["strength"] == end] for end in (strengths[0], strengths[-1]))
    words = f"at {sweep} {strengths[-1]:g} less at {strengths[0]:g}"
    if subset == CLEAN:
        return [
            judge(
                "stronger-costs-accuracy", right_difference(weakest, strongest), ">", 0.0, subset=sweep,
                statement='section 2.2: "stronger perturbations will decrease accuracy even more"',
                quantity=f"accuracy at {sweep} {strengths[0]:g} less at {strengths[-1]:g}",
            )
        ]  # fmt: skip
    return [
        judge(
            "stronger-corrects-more", right_difference(strongest, weakest), ">", 0.0, subset=f"{subset}, {sweep}",
            statement='section 2.2: "larger shifts, a stronger blurring and more noise will further increase the number of '
            'adversarial images that will be corrected"',
            quantity=f"share of the adversarial images corrected {words}",
        )
    ]  # fmt: skip


def survivors(params: Any, subset: str, rows: Frame) -> list[Claim]:
    """No adversarial image keeps its class behind the most crops."""
    claims = []
    for sweep in CROPS:
        chosen = rows[rows["sweep"] == sweep]
        most = chosen[chosen["strength"] == chosen["strength"].max()]
        if len(most):
            claims.append(
                judge(
                    "survives-most-crops", share_interval((most["prediction"] == most["plain"]).tolist()), "<", params.survivors,
                    subset=f"{subset}, {sweep}",
                    statement='section 4: "it is very unlikely that any adversarial image that was generated using only the center '
                    'crop would survive averaging 144 crops"',
                    quantity=f"share of the adversarial images that keep their class behind {most['strength'].iloc[0]:g} {sweep}",
                )
            )  # fmt: skip
    return claims


def beyond(params: Any, subset: str, rows: Frame) -> list[Claim]:
    """Far fewer images are corrected beyond the smallest weight."""
    claims = []
    for defense, part in rows[rows["defense"] != "none"].groupby("defense", sort=False):
        factors = sorted(part["factor"].unique())
        if len(factors) > 1:
            first, last = (part[part["factor"] == factor] for factor in (factors[0], factors[-1]))
            claims.append(
                judge(
                    "minimality", right_difference(first, last), ">", params.far_fewer, subset=f"{subset}, {defense}",
                    statement='section 4: "we only used difficult adversarial images, with a minimal perturbation [...]. When '
                    'creating adversarial images with larger perturbations [...] many of these images might not be detected or '
                    'corrected"',
                    quantity=f"share of the adversarial images corrected at {factors[0]:g} times the smallest weight less at "
                    f"{factors[-1]:g} times",
                )
            )  # fmt: skip
    return claims


def right_difference(first: Frame, second: Frame) -> Interval:
    """Share that is right in the first rows less that in the second, of the samples of both."""
    one, other = (
        dict(zip(rows["sample"].tolist(), (rows["prediction"] == rows["label"]).tolist(), strict=True))
        for rows in (first, second)
    )
    pairs = [(one[sample], other[sample]) for sample in one if sample in other]
    if not pairs:
        return NOT_MEASURED
    return paired_difference(
        *(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))
    )


def norm_ratios(table: Frame, defense: str) -> list[float]:
    """Of each image the smallest norm behind a defense over that without; inf where only the latter was found.

    Images that are wrong without or behind the defense, and those of which no attack found anything without it, are left out.
    """
    adaptive = table[table["images"] == ADAPTIVE]
    norms = {
        name: adaptive[adaptive["defense"] == name].set_index("sample")["l2"].astype(float)
        for name in ("none", defense)
    }
    plain = norms["none"][np.isfinite(norms["none"])]
    ratios = norms[defense].reindex(plain.index) / plain
    return [float(ratio) for ratio in ratios if not math.isnan(ratio)]


def strength_summary(table: Frame) -> Frame:
    """A line for each run, kind of images and setting.

    Columns: `number` of images and the share `right` with `low` and `high` (95 %, Clopper-Pearson). Of adaptive images: those
    that are right behind the defense, the share of these for which nothing was found, `median_l2`, and the median `ratio` of
    norms to those without the defense, with `ratio_low` and `ratio_high` (order statistics).
    """
    lines: list[dict[str, Any]] = []
    for (run, *setting), rows in table.groupby(["run", *GROUP], sort=False, dropna=False):
        line = {"run": run, **dict(zip(GROUP, setting, strict=True))}
        if line["images"] == ADAPTIVE:
            known = rows[rows["l2"].notna()]
            right = share_interval(np.isinf(known["l2"].astype(float)).tolist())
            ratio = median_interval(norm_ratios(table[table["run"] == run], str(line["defense"])))
            more = {"ratio": ratio.estimate, "ratio_low": ratio.low, "ratio_high": ratio.high}
            more |= {"median_l2": median_interval(known["l2"]).estimate}
            number = len(known)
        else:
            right, number, more = share_interval((rows["prediction"] == rows["label"]).tolist()), len(rows), {}
        lines.append(line | {"number": number, "right": right.estimate, "low": right.low, "high": right.high} | more)
    return frame_of(lines)
