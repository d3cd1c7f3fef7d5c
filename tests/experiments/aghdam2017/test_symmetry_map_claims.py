"""What Figure 2 of aghdam2017 claims of its map and its spheres: made-up tables that hold and that do not."""

from __future__ import annotations

import math

import pandas as pd

from advlab.config import components

SymmetryMap = components.REGISTRIES["experiment"].load("symmetry_map")


def made_up(above: int, misclassified: int, rms: float, grid: int, samples: int = 60) -> pd.DataFrame:
    """Spheres that are all alike, and a map of 100 points, `grid` of which are above the clean score."""
    spheres = [
        {
            "kind": "sphere", "norm": "l2", "pixel_scale": 1.0, "direction": "random", "sample": i, "radius": radius,
            "trials": 100, "nonfinite": 0, "above": above, "misclassified": misclassified, "rms": rms * radius,
        }
        for i in range(samples)
        for radius in (0.1, 1.0)
    ]  # fmt: skip
    return pd.DataFrame([*spheres, *({"kind": "grid", "above": int(i < grid)} for i in range(100))])


def verdicts(frame: pd.DataFrame) -> list[str]:
    return [claim.verdict for claim in SymmetryMap(SymmetryMap.Params()).claims(frame)]


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert verdicts(made_up(0, 50, 10, 0)) == ["holds"] * 4
    assert verdicts(made_up(50, 50, 1000, 50)) == ["does not hold"] * 2 + ["holds", "does not hold"]
    assert verdicts(made_up(0, 0, 10, 0)) == ["holds"] * 2 + ["does not hold"] * 2
    assert verdicts(made_up(0, 100, 10, 0))[2:] == ["does not hold"] * 2  # lost in every order


def test_one_map_decides_nothing() -> None:
    assert verdicts(made_up(0, 50, 10, 0)) == verdicts(made_up(0, 50, 10, 100))


def test_few_samples_decide_nothing() -> None:
    assert verdicts(made_up(0, 50, 10, 0, samples=3)) == ["undecided"] * 4


def test_the_visible_perturbation_is_the_smallest_that_splits() -> None:
    frame = made_up(0, 50, 50, 0)  # root mean square 5 at radius 0.1, and 50 at 1
    assert verdicts(frame)[-1] == "holds"
    frame.loc[frame["radius"] == 0.1, "misclassified"] = 0
    assert verdicts(frame)[-1] == "does not hold"


def test_samples_that_no_order_splits_have_a_larger_perturbation_than_all_that_were_measured() -> None:
    """The median of those that are split alone would be that of the most sensitive samples."""
    frame = made_up(0, 50, 1, 0, samples=60)
    whole = frame["sample"] >= 20
    frame.loc[whole, "misclassified"] = 0
    claim = SymmetryMap(SymmetryMap.Params()).claims(frame)[-1]
    assert (claim.verdict, claim.estimate, claim.low, claim.samples) == ("does not hold", math.inf, math.inf, 60)
    frame.loc[whole, "nonfinite"] = 100  # nothing was measured of them: they are left out
    claim = SymmetryMap(SymmetryMap.Params()).claims(frame)[-1]
    assert (claim.verdict, claim.samples) == ("holds", 20)
