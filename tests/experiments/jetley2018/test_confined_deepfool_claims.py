"""Verdicts of `confined_deepfool` on made-up tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from advlab.config import components
from experiments.jetley2018.confined_deepfool_claims import image_correlations, ratios

Confined: Any = components.REGISTRIES["experiment"].load("confined_deepfool")


def test_ratios_take_failures_as_infinite() -> None:
    inf = math.inf
    found = ratios({1: 4.0, 2: inf, 3: 1.0, 4: inf}, {1: 2.0, 2: 1.0, 3: inf, 4: inf})
    assert found[:3] == [2.0, inf, 0.0]
    assert math.isnan(found[3])


def claims_of(hi: list[float], lo: list[float], projected: list[float], images: int = 40) -> dict[tuple[str, str], str]:
    """Verdicts on norms at d = 1, 2, ...; infinite: every image fails."""
    rows = []
    for subspace, norms, shift in (("hi", hi, 0.1), ("lo", lo, -0.1), ("random", lo, -0.1)):
        for d, norm in enumerate(norms, 1):
            for sample in range(images):
                found = math.isfinite(norm)
                rows.append(
                    {
                        "run": "r", "subspace": subspace, "d": d, "sample": sample, "rank": 99, "outside": 0.0,
                        "outcome": "success" if found else "max_iter",
                        "l2": norm * (1 + sample / 1000) if found else math.nan, "projected": projected[d - 1] + shift,
                    }
                )  # fmt: skip
    experiment = Confined(Confined.Params())
    return {(claim.claim, claim.subset): claim.verdict for claim in experiment.claims(pd.DataFrame(rows))}


FALLING = [64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125]
RISING = [float(d) for d in range(1, 11)]


def test_verdicts_on_the_papers_curves() -> None:
    found = claims_of(FALLING, [math.inf, math.inf, *(3 * norm for norm in FALLING[2:])], RISING)
    assert {verdict for (claim, _), verdict in found.items() if claim == "hi-below-lo"} == {"holds"}
    assert found["inverse-each", "S_hi"] == found["inverse-each", "S_lo"] == "holds"
    assert found["inverse", "S_hi and S_lo"] == "holds"


def test_verdicts_on_curves_the_other_way_round() -> None:
    found = claims_of([3 * norm for norm in FALLING], FALLING, RISING)
    assert {verdict for (claim, _), verdict in found.items() if claim == "hi-below-lo"} == {"does not hold"}
    found = claims_of(RISING, RISING, RISING)
    assert found["inverse", "S_hi and S_lo"] == found["inverse-each", "S_hi"] == "does not hold"


def test_an_inverse_relation_of_medians_alone_is_none_of_the_images() -> None:
    """Norms that scatter widely from d to d: their medians over 200 images fall, and no image's own norms do."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "subspace": subspace, "d": d, "sample": sample, "rank": 99, "outside": 0.0, "outcome": "success",
            "l2": math.exp(3 * generator.normal() - 0.3 * d), "projected": float(d),
        }
        for subspace in ("hi", "lo", "random")
        for d in range(1, 11)
        for sample in range(200)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    of_medians = table[table["subspace"] == "hi"].groupby("d")["l2"].median()
    assert spearmanr(of_medians.index, of_medians).statistic < -0.8
    found = {(claim.claim, claim.subset): claim for claim in Confined(Confined.Params()).claims(table.assign(run="r"))}
    for claim, subset in (("inverse", "S_hi and S_lo"), ("inverse-each", "S_hi"), ("inverse-random", "random")):
        assert found[claim, subset].verdict == "does not hold"
        assert found[claim, subset].samples == 200
    one = table[(table["sample"] == 7) & (table["subspace"] == "hi")]
    expected = spearmanr(one["l2"], one["projected"]).statistic
    assert image_correlations(table[table["subspace"] == "hi"])[7] == pytest.approx(expected)


def test_an_image_on_which_nearly_every_attack_fails_tells_nothing() -> None:
    """The order of failures is that of d, whatever the network does."""
    rows = pd.DataFrame(
        {"sample": 1, "d": range(1, 7), "rank": 99, "l2": math.nan, "outcome": "capped", "projected": range(6)}
    )
    assert math.isnan(image_correlations(rows)[0])
    three, four = (
        rows.assign(
            l2=lambda t, known=known: np.where(t["d"] > 6 - known, 10.0 - t["d"], math.nan),
            outcome=lambda t, known=known: np.where(t["d"] > 6 - known, "success", "capped"),
        )
        for known in (3, 4)
    )
    assert math.isnan(image_correlations(three)[0])
    assert image_correlations(four)[0] < -0.9


def test_too_few_images_or_none_that_succeeds_decide_nothing() -> None:
    assert claims_of(FALLING, [2 * norm for norm in FALLING], RISING, images=4)["hi-below-lo", "d=1"] == "undecided"
    failing = [math.inf] * 10
    assert claims_of(failing, failing, RISING)["hi-below-lo", "d=1"] == "not measured"
