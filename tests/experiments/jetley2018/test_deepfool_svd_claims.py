"""What figure 4 says of made-up curves, in both directions."""

from __future__ import annotations

import pandas as pd

from advlab.statistics import Claim
from experiments.jetley2018.deepfool_svd import DeepFoolSvd


def made_up(
    hi: dict[int, float], lo: dict[int, float], *, perturbations: int = 2000, images: int = 1000
) -> list[Claim]:
    """Claims on accuracies at numbers of directions; the right images are nested, and 900 are right without projection."""
    rows = []
    for name, accuracies in (("hi", hi), ("lo", lo), ("random", lo)):
        for d, accuracy in accuracies.items():
            correct, of_hi = int(accuracy * images), int(hi[d] * images)
            rows.append(
                {
                    "subspace": name, "d": d, "dimensions": 100, "rank": 100, "perturbations": perturbations, "images": images,
                    "correct": correct, "kept": min(correct, 900), "only_here": max(0, correct - of_hi),
                    "only_hi": max(0, of_hi - correct), "whole": 900, "unchanged": 900, "energy": 0.5, "run": "r",
                }
            )  # fmt: skip
    experiment = DeepFoolSvd(DeepFoolSvd.Params())
    claims: list[Claim] = experiment.claims(pd.DataFrame(rows))
    return claims


LADDER = [1, 5, 10, 25, 50, 75, 100]
RISING = dict(zip(LADDER, [0.1, 0.5, 0.7, 0.88, 0.895, 0.9, 0.9], strict=True))
FLAT = dict(zip(LADDER, [0.1, 0.11, 0.12, 0.13, 0.2, 0.4, 0.9], strict=True))


def test_verdicts_on_the_papers_curves() -> None:
    found = {(claim.claim, claim.subset): claim.verdict for claim in made_up(RISING, FLAT)}
    assert found["hi-above-lo", "d=10"] == found["hi-above-random", "d=25"] == "holds"
    assert found["hi-above-lo", "d=1"] == "not measured"  # the same images are right
    assert ("hi-above-lo", "d=100") not in found
    assert found["early", "S_hi, d=25"] == found["late", "S_lo, d=25"] == "holds"
    assert found["saturates", "all of 100 directions"] == found["saturates", "half of 100 directions"] == "holds"


def test_verdicts_on_curves_the_other_way_round() -> None:
    found = {(claim.claim, claim.subset): claim.verdict for claim in made_up(FLAT, RISING)}
    assert found["hi-above-lo", "d=10"] == "does not hold"
    assert found["early", "S_hi, d=25"] == found["late", "S_lo, d=25"] == "does not hold"
    assert found["saturates", "half of 100 directions"] == "does not hold"


def test_a_quarter_is_judged_only_where_some_d_is_near_it() -> None:
    hi, lo = ({d: curve[d] for d in (1, 75, 100)} for curve in (RISING, FLAT))
    found = {claim.claim: claim.verdict for claim in made_up(hi, lo) if claim.subset != "all of 100 directions"}
    assert found["early"] == found["late"] == found["saturates"] == "not measured"


def test_a_part_that_is_no_half_is_not_called_one() -> None:
    hi, lo = ({d: curve[50 if d == 45 else d] for d in (5, 45, 100)} for curve in (RISING, FLAT))
    saturating = [claim.subset for claim in made_up(hi, lo) if claim.claim == "saturates"]
    assert saturating == ["all of 100 directions", "45 of 100 directions"]


def test_too_few_images_decide_nothing() -> None:
    found = {(claim.claim, claim.subset): claim.verdict for claim in made_up(RISING, FLAT, images=6)}
    assert found["hi-above-lo", "d=10"] == "undecided"


def test_spanning_needs_more_perturbations_than_dimensions() -> None:
    found = {(claim.claim, claim.subset): claim.verdict for claim in made_up(RISING, FLAT, perturbations=100)}
    assert found["saturates", "all of 100 directions"] == "not measured"
