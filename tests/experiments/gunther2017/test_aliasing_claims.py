"""Claims about networks with and without blur on made-up tables, in both directions, and the summary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from advlab.config import components
from advlab.statistics import simultaneous

Aliasing = components.REGISTRIES["experiment"].load("aliasing")


def made_up(
    *, seeds: int = 6, labels: float = 0.0, scores: float = 0.0, found: float = 1.0, accuracy: float = 0.0,
    norm: float = 0.9, high: float = 0.3, survives: float = 0.002, added: float = 0.02,
) -> pd.DataFrame:  # fmt: skip
    """Seeds of both networks, which differ by what is given: shares of other labels, PASS, numbers found, accuracy, norms."""
    rng = np.random.default_rng(3)
    rows = []
    for seed in range(seeds):
        for network in ("original", "blurred"):
            blurred = network == "blurred"
            for arithmetic in ("exact", "float32"):
                for sample in range(400):
                    label = sample % 4
                    usual = (label + 1 + (rng.random() < 0.3)) % 4
                    hit = sample < 380 - seed - (400 * accuracy + seed % 2) * blurred
                    success = hit and rng.random() < 0.8 * (found if blurred else 1)
                    moved = blurred and rng.random() < labels
                    share = (survives if blurred else high) * (1 + 0.1 * rng.random())
                    for layer in ("image", "pool1") if arithmetic == "exact" and sample < 20 else ("",):
                        row = {
                                "run": "toy", "seed": seed, "network": network, "arithmetic": arithmetic, "sample": sample,
                                "label": label, "layer": layer, "correct": hit,
                                "adversarial": ((label + 3) % 4 if moved else usual) if success else -1,
                                "length": 1.0, "pass_score": 0.7 + 0.1 * rng.random() + scores * blurred if success else np.nan,
                                "minimal": (1 + 0.1 * rng.random() + 0.01 * rng.normal()) * (norm if blurred else 1),
                                "clean_high": share if layer else np.nan,
                                "adversarial_high": share + added + 0.001 * rng.random() if layer else np.nan,
                                "change_high": 0.5 if layer else np.nan,
                        }  # fmt: skip
                        rows.append(row)
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame) -> dict[str, set[str]]:
    judged: dict[str, set[str]] = {}
    for claim in simultaneous(Aliasing(Aliasing.Params()).claims(table)):
        judged.setdefault(claim.claim, set()).add(claim.verdict)
    return judged


def test_claims_that_hold() -> None:
    found = verdicts(made_up(seeds=8, found=1.15, survives=0.002, added=0.003))
    assert found == {name: {"holds"} for name in found}
    assert len(found) == 12


def test_claims_that_do_not_hold() -> None:
    table = made_up(
        seeds=8, labels=0.8, scores=0.08, found=0.3, accuracy=0.1, norm=1.3, high=0.05, survives=0.03, added=-0.01
    )
    found = verdicts(table)
    assert found == {name: {"does not hold"} for name in found}


def test_few_seeds_and_none_decide_nothing() -> None:
    assert {verdict for some in verdicts(made_up(seeds=5, found=1.15)).values() for verdict in some} == {"undecided"}
    assert {v for some in verdicts(made_up(seeds=1)[:0]).values() for v in some} == {"not measured"}


def test_the_summary_says_what_the_table_holds() -> None:
    table = made_up()
    summary = Aliasing(Aliasing.Params()).summary(table).set_index(["network", "arithmetic"])
    line = summary.loc[("blurred", "exact")]
    part = table[(table["network"] == "blurred") & (table["arithmetic"] == "exact")].drop_duplicates(["seed", "sample"])
    assert line["accuracy"] == pytest.approx(part["correct"].mean())
    assert line["found"] == pytest.approx((part["adversarial"] >= 0).mean())
    assert line["minimal"] == pytest.approx(part.groupby("seed")["minimal"].median().mean())
    assert line["labels_seeds"] > 0.85
    assert line["labels_seeds_low"] < line["labels_seeds"]
