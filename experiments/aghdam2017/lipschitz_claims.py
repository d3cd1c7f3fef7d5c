"""Claims of section 2.4 beside L < 1 with scalar normalisers: one normaliser an element, and scores that stay close."""

from __future__ import annotations

from advlab.lab import Frame
from advlab.statistics import Claim, judge, median_interval, rank_correlation, share_interval
from advlab.statistics.partial_spearman import partial_rank_correlation

RADII = (1.0, 10.0)  # at which scores are judged, besides the smallest


def elementwise_claims(rows: Frame, subset: str, *, most: float) -> list[Claim]:
    """The two statements about "most of the cases" for g and h that normalise each pixel and each feature by its own range.

    Args:
        rows: of one layer, reading and direction.
        subset: their name.
        most: share, above.
    """
    sums = rows.groupby("sample")[["trials", "nonfinite", "contracted_elementwise"]].sum(min_count=1)
    below = sums["contracted_elementwise"] / (sums["trials"] - sums["nonfinite"])
    largest = rows.groupby("sample")["elementwise_largest_ratio"].max().dropna()
    section, subset = "section 2.4, normalised: ", f"{subset}, per element"
    return [
        judge(
            "contraction-normalised", share_interval(below), ">", most, subset=subset,
            statement=section + 'the Lipschitz constant "is less than 1 in most of the cases"',
            quantity="share of perturbed images with L < 1, a normaliser for each element",
        ),
        judge(
            "contraction-of-all-normalised", share_interval(largest < 1), ">", most, subset=subset,
            statement=section + '"if L_x < 1 for all adversarial samples ... attracts": most samples do',
            quantity="share of samples whose largest L of the T drawn is < 1, a normaliser for each element",
        ),
    ]  # fmt: skip


def score_claims(rows: Frame, subset: str, *, above: float) -> list[Claim]:
    """Whether scores stay closer where features do, at the smallest radius, 1 and 10; over samples, and within each.

    At one radius, the normalised movement is the raw one times a number that all samples share, so that ranks are the same.
    Within a sample, perturbations are equally long where the radius is an L2 norm; else the longer ones move both further.

    Args:
        rows: of one layer, reading and direction.
        subset: their name.
        above: rank correlation.
    """
    section = 'section 2.4: "when adversarial samples get closer to the clean sample, it is more likely that they have '
    section += 'classification scores close to the clean sample"'
    claims = []
    for radius, at_radius in rows.groupby("radius"):
        if radius not in (rows["radius"].min(), *RADII):
            continue
        moved, score, clean = (at_radius[name] for name in ("moved", "score_moved", "clean_error_probability"))
        of_radius = f"{subset}, r = {radius:g}"
        claims += [
            judge(
                "closer-features-closer-scores", rank_correlation(moved, score), ">", above, subset=of_radius,
                statement=section + ": samples whose features move less",
                quantity="rank correlation over samples of ||dPhi|| and |score change|, means over T",
            ),
            judge(
                "closer-at-equal-confidence", partial_rank_correlation(moved, score, clean), ">", above, subset=of_radius,
                statement=section + ", control: also among samples of equal confidence",
                quantity="the same, partial: with 1 - score of the clean image held",
            ),
            judge(
                "closer-within-samples", median_interval(at_radius["score_follows"]), ">", above, subset=of_radius,
                statement=section + ", control: also among the perturbations of one image",
                quantity="median over samples of the rank correlation over T of ||dPhi|| and |score change|",
            ),
        ]  # fmt: skip
    return claims
