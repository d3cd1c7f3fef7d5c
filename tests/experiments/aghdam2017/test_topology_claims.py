"""Claims of figure 4 of aghdam2017 about Mantel's r, on tables made up for them."""

from __future__ import annotations

import pandas as pd

from advlab.config import components
from advlab.statistics import share_interval

Topology = components.REGISTRIES["experiment"].load("topology")


def made_up(network: float, linear: float, random: float, n: int = 40) -> pd.DataFrame:
    rows = [
        {
            "pixels": 36, "features": 9,
            "sample": s, "layer": "auto", "norm": "l2", "pixel_scale": 1.0, "direction": "random", "radius": r,
            "source": source, "mantel_r": value + 0.001 * (s % 3), "depth": 0, "trials": 100, "nearest_kept": 0.0,
            "deviation": 0.0,
        }
        for s in range(n) for r in (0.1, 1.0) for source, value in
        (("network", network), ("linearisation", linear), ("random map", random))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    """Those about Mantel's r; the others have a file of their own."""
    claims = Topology(Topology.Params()).claims(frame)
    return {claim.claim: claim.verdict for claim in claims if not claim.claim.startswith(("nearest", "alpha"))}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert set(verdicts(made_up(0.01, 0.05, 0.4, n=80)).values()) == {"holds"}
    assert set(verdicts(made_up(0.9, 0.8, 0.2)).values()) == {"does not hold"}
    found = verdicts(made_up(-0.9, -0.8, 0.2))  # far below the band is outside it as well
    assert found["uncorrelated"] == found["uncorrelated-at-epsilon"] == "does not hold"


def test_so_few_samples_do_not_show_95_percent() -> None:
    """40 of 40 samples, each in the band at every radius, leave a share of .92 possible."""
    (claim,) = [c for c in Topology(Topology.Params()).claims(made_up(0.01, 0.05, 0.4)) if c.claim == "uncorrelated"]
    assert (claim.estimate, claim.samples, claim.verdict, claim.networks) == (1, 40, "undecided", "all")
    assert (claim.low, claim.high) == share_interval([True] * 40)[1:3]


def test_claims_without_a_control_are_not_measured() -> None:
    frame = made_up(0.01, 0.05, 0.4)
    found = verdicts(frame[frame["source"] == "network"])
    assert found["affine-suffices"] == found["more-than-linear"] == found["more-than-random"] == "not measured"
