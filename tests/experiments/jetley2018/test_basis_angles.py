"""Angles between the bases of a network that two pixels decide, and the claims on made tables."""

from __future__ import annotations

import pandas as pd
import pytest

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError, ConfigError
from tests.helpers.squares_network import SIZE, context

BasisAngles = components.REGISTRIES["experiment"].load("basis_angles")


def test_curved_directions_perturbations_and_gradients_are_the_two_pixels() -> None:
    found = testing.measured(context("basis_angles", dimensions=[1, 2], perturbations=60))
    one = found[found["d"] == 1]
    curved = one[one["directions"] == "most"]
    assert set(curved["target"]) == {0, 1, -1}
    assert (curved["singular"] == 2).all()
    assert curved["overlap"].to_numpy() == pytest.approx(1, abs=1e-4)
    assert curved["median_angle"].max() < 1
    flat = one[one["directions"] == "flat"]
    assert flat["overlap"].to_numpy() == pytest.approx(0, abs=1e-4)
    assert flat["smallest_angle"].min() > 89
    random = one[(one["directions"] == "random") & (one["target"] != -1)]
    assert set(random["expected"]) == {2 / SIZE}
    both = one[one["directions"] == "deepfool"]  # the bases of perturbations and of gradients: the two pixels in either
    assert both[["source", "target", "rank", "singular"]].to_numpy().tolist() == [["gradient", -1, 2, 2]]
    assert both["overlap"].item() == pytest.approx(1, abs=1e-4)
    claims = BasisAngles(BasisAngles.Params()).claims(found)
    assert {claim.verdict for claim in claims} == {"undecided"}  # two classes decide nothing
    assert set(BasisAngles(BasisAngles.Params()).summary(found)["directions"]) == {"most", "flat", "random", "deepfool"}


def test_more_directions_than_a_basis_holds_are_refused_before_anything_is_made() -> None:
    with pytest.raises(ConfigError, match=rf"the bases hold {SIZE} directions of a kind: take at most {SIZE}$"):
        testing.measured(context("basis_angles", dimensions=[1, SIZE + 1], perturbations=60))


def made(curved: float, flat: float) -> pd.DataFrame:
    """Ten classes with these overlaps, at d = 10."""
    rows = [
        {
            "run": "made", "directions": kind, "source": source, "d": 10, "target": c, "classes": 10, "rank": 10,
            "singular": 100, "dimension": 784, "overlap": overlap + 0.001 * c, "expected": 100 / 784, "smallest_angle": 1.0,
            "median_angle": 2.0,
        }
        for source in ("deepfool", "gradient")
        for kind, overlap in (("most", curved), ("flat", flat))
        for c in range(-1, 10)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_claims_of_made_tables() -> None:
    experiment = BasisAngles(BasisAngles.Params())
    assert {claim.verdict for claim in experiment.claims(made(0.8, 0.02))} == {"holds"}
    assert {claim.verdict for claim in experiment.claims(made(0.05, 0.3))} == {"does not hold"}
    assert {claim.verdict for claim in experiment.claims(made(0.8, 0.02).iloc[:0])} == {"not measured"}
    with pytest.raises(ArgumentError, match="dimensions must name at least one"):
        BasisAngles.Params(dimensions=[])
