"""Claims of section 2.4 about scores and about normalisers of single elements, on made-up tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.aghdam2017.lipschitz_claims import elementwise_claims, score_claims


def made_up(score: object, follows: float, ratio: float = 0.5, n: int = 60) -> pd.DataFrame:
    """Rows at four radii whose features move by a random number, and whose score does by `score` of it and of 1 - score."""
    random, rows = np.random.default_rng(0), []
    for s in range(n):
        moved, clean, noise = random.uniform(1, 2), random.uniform(0, 1), random.uniform(-0.1, 0.1)
        rows += [
            {
                "sample": s, "radius": r, "trials": 100, "nonfinite": 0, "moved": moved * r, "clean_error_probability": clean,
                "score_moved": score(moved, clean) + noise, "score_follows": follows + noise,  # type: ignore[operator]
                "contracted_elementwise": 100.0 * (ratio < 1) if ratio == ratio else np.nan, "elementwise_largest_ratio": ratio,
            }
            for r in (0.1, 1.0, 5.0, 10.0)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def of_scores(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(claim.claim, claim.subset): claim.verdict for claim in score_claims(table, "l2", above=0)}


def test_scores_that_move_with_the_features_and_against_them() -> None:
    found = of_scores(made_up(lambda moved, clean: moved, 0.5))
    assert set(found.values()) == {"holds"}
    assert {subset for _, subset in found} == {"l2, r = 0.1", "l2, r = 1", "l2, r = 10"}
    assert set(of_scores(made_up(lambda moved, clean: -moved, -0.5)).values()) == {"does not hold"}


def test_confidence_alone_is_told_apart_by_the_control() -> None:
    """Unsure samples whose features and whose scores move further: nothing is left once confidence is held."""
    table = made_up(lambda moved, clean: clean, 0.0)
    table["moved"] = table["clean_error_probability"] + 0.1 * np.random.default_rng(1).standard_normal(len(table))
    found = of_scores(table)
    assert found["closer-features-closer-scores", "l2, r = 10"] == "holds"
    assert found["closer-at-equal-confidence", "l2, r = 10"] == "undecided"
    assert found["closer-within-samples", "l2, r = 10"] == "undecided"


def test_older_tables_have_no_scores() -> None:
    table = made_up(lambda moved, clean: moved, 0.5)
    older = table.assign(score_moved=np.nan, score_follows=np.nan, clean_error_probability=np.nan)
    assert set(of_scores(older).values()) == {"not measured"}


@pytest.mark.parametrize(("ratio", "verdict"), [(0.5, "holds"), (2, "does not hold"), (np.nan, "not measured")])
def test_a_normaliser_for_each_element(ratio: float, verdict: str) -> None:
    claims = elementwise_claims(made_up(max, 0, ratio), "l2", most=0.5)
    assert {claim.subset for claim in claims} == {"l2, per element"}
    assert {claim.claim for claim in claims} == {"contraction-normalised", "contraction-of-all-normalised"}
    assert {claim.verdict for claim in claims} == {verdict}
