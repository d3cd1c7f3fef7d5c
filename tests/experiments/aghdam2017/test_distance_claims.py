"""Claims about nearest neighbours, alpha and depth: made-up tables on either side, too few samples, missing controls."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from advlab.experiments.aghdam2017.distance_claims import alpha_claims, depth_claims, neighbour_claims

from advlab.statistics import Claim

SOURCES = ("network", "linearisation", "random map", "random layers", "random layers, relu")


def made_up(values: dict[str, float | list[float]], n: int = 40) -> pd.DataFrame:
    """Rows with a number for each source, or one a layer; the radii and samples differ a little."""
    rows = [
        {
            "sample": s, "layer": f"layer{depth}", "depth": depth, "norm": "l2", "pixel_scale": 1.0, "direction": "random",
            "radius": r, "trials": 101, "source": source, **dict.fromkeys(("nearest_kept", "deviation", "mantel_r"), number),
        }
        for source, numbers in values.items()
        for depth, value in enumerate(numbers if isinstance(numbers, list) else [numbers])
        for s in range(n) for r in (0.1, 1.0)
        for number in [value + 0.001 * ((s * len(source)) % 5) * (1 if value > 0.1 else 0.1)]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def by_name(claims: list[Claim]) -> dict[str, str]:
    return {claim.claim: claim.verdict for claim in claims}


def neighbours(*numbers: float, n: int = 40) -> dict[str, str]:
    return by_name(neighbour_claims(made_up(dict(zip(SOURCES, numbers, strict=False)), n), "l2", below=0.5))


def alpha(*numbers: float, n: int = 40) -> dict[str, str]:
    return by_name(alpha_claims(made_up(dict(zip(SOURCES, numbers, strict=False)), n), "l2", above=0.1))


def test_nearest_neighbours_that_change_and_that_stay() -> None:
    assert set(neighbours(0.02, 0.05, 0.2).values()) == {"holds"}
    assert neighbours(0.9, 0.8, 0.2) == {
        "nearest-changes": "does not hold",
        "nearest-above-chance": "holds",
        "nearest-changes-linearly": "does not hold",
        "nearest-more-than-random": "does not hold",
    }
    assert neighbours(0.005, 0.02, 0.2)["nearest-above-chance"] == "does not hold"  # chance is .01


def test_alpha_of_an_isometry_and_of_other_maps() -> None:
    assert set(alpha(0.8, 0.7, 0.6).values()) == {"holds"}
    assert set(alpha(0.0, 0.01, 0.02).values()) == {"does not hold"}


@pytest.mark.parametrize("claims", [neighbours, alpha])
def test_few_samples_are_undecided_and_controls_may_be_missing(claims: Callable[..., dict[str, str]]) -> None:
    assert set(claims(0.3, 0.2, 0.25, n=5).values()) == {"undecided"}
    found = list(claims(0.3).values())
    assert found.count("not measured") == (2 if claims is neighbours else 3)


def test_r_that_falls_from_layer_to_layer_and_r_that_does_not() -> None:
    falling, rising = [0.9, 0.6, 0.4, 0.3], [0.3, 0.4, 0.6, 0.9]
    stacks = {"random layers": [0.9, 0.8, 0.7, 0.6], "random layers, relu": [0.9, 0.7, 0.5, 0.4]}
    found = by_name(depth_claims(made_up({"network": falling, **stacks}), below=-0.5))
    assert set(found.values()) == {"holds"}
    assert len(found) == 5
    found = by_name(depth_claims(made_up({"network": rising, **dict.fromkeys(stacks, rising)}), below=-0.5))
    assert {found[f"lost-with-depth{name}"] for name in ("", "-linear", "-relu")} == {"does not hold"}
    found = by_name(depth_claims(made_up({"network": [-r for r in falling]}), below=-0.5))  # |r|, whatever its sign
    assert found["lost-with-depth"] == "holds"
    assert found["lost-with-depth-linear"] == found["lost-more-than-relu-layers"] == "not measured"


def test_one_or_two_layers_say_nothing_of_depth() -> None:
    assert depth_claims(made_up({"network": [0.9, 0.1]}), below=-0.5) == []
    assert depth_claims(made_up({"network": 0.9}).iloc[:0], below=-0.5) == []


def test_an_empty_table_is_not_measured() -> None:
    nothing = made_up({"network": 0.5}).iloc[:0]
    claims = [*neighbour_claims(nothing, "l2", below=0.5), *alpha_claims(nothing, "l2", above=0.1)]
    assert {claim.verdict for claim in claims} == {"not measured"}
