"""Labels of the curves of several surveys: what tells them apart, and nothing that all have in common."""

from __future__ import annotations

import pytest
from advlab.experiments.surveys.figures.attack_survey import COLUMN_WIDTH
from advlab.experiments.surveys.figures.curve_labels import curve_labels

HC = "hot_cold (discrete, hot=0)"


@pytest.mark.parametrize(
    ("keys", "labels", "in_common"),
    [
        ([("hc: lenet on digits", HC)], ["hc (discrete, hot=0)"], "lenet on digits"),
        ([("fgs: lenet on digits", "fgs"), ("pgd: lenet on digits", "pgd")], ["fgs", "pgd"], "lenet on digits"),
        (
            [(f"{run}: lenet{on}", HC) for run in ("hc", "hc1") for on in (" on digits", " with blur on digits")],
            ["hc", "hc with blur", "hc1", "hc1 with blur"],
            "lenet on digits",
        ),
        (
            [("hc: lenet with blur+noise on digits", HC), ("fgs: lenet with blur+noise on digits", "fgs (discrete)")],
            ["hc", "fgs"],
            "lenet with blur+noise on digits",
        ),
        ([("fgs: lenet on digits", "fgs"), ("fgs: mlp on digits", "fgs")], ["fgs, lenet", "fgs, mlp"], "digits"),
        (
            [("fgs: mlp on digits", "fgs"), ("fgs: mlp with blur on mnist", "fgs")],
            ["fgs on digits", "fgs with blur on mnist"],
            "mlp",
        ),
        (
            [("lenet, epsilon=0.1", "pgd (epsilon=0.1)"), ("lenet, epsilon=0.2", "pgd (epsilon=0.2)")],
            ["pgd (epsilon=0.1)", "pgd (epsilon=0.2)"],
            "lenet",
        ),
        (
            [(f"pgd: lenet{d}, epsilon={e}", f"pgd (epsilon={e})") for e in (0.1, 0.2) for d in ("", " with blur+noise")],
            ["pgd, epsilon=0.1", "pgd with blur+noise, epsilon=0.1", "pgd, epsilon=0.2", "pgd with blur+noise, epsilon=0.2"],
            "lenet",
        ),
        (
            [(f"{net}, seed={seed}", "fgs") for net in ("lenet", "mlp") for seed in (0, 1)],
            ["fgs, lenet, seed=0", "fgs, lenet, seed=1", "fgs, mlp, seed=0", "fgs, mlp, seed=1"],
            "",
        ),
        (
            [("fgs: lenet on digits (v001)", "fgs"), ("fgs: lenet on digits (v002)", "fgs")],
            ["fgs (v001)", "fgs (v002)"],
            "lenet on digits",
        ),
        ([("fgs: lenet, seed=0 (v001)", "fgs"), ("x: lenet, seed=0", "x")], ["fgs, seed=0 (v001)", "x, seed=0"], "lenet"),
    ],
)  # fmt: skip
def test_curves_are_told_apart_and_nothing_is_said_twice(
    keys: list[tuple[str, str]], labels: list[str], in_common: str
) -> None:
    assert curve_labels(keys) == (labels, in_common)
    assert max(map(len, labels)) <= COLUMN_WIDTH
