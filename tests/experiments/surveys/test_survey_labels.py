"""Labels of the curves of several surveys: the attack, and of the run what the attack does not say."""

from __future__ import annotations

import pytest
from advlab.experiments.surveys.figures.attack_survey import curve_labels, network


@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        ([("fgs: lenet on digits", "fgs"), ("pgd: lenet on digits", "pgd")], ["fgs", "pgd"]),
        (
            [("lenet on digits", "fgs"), ("mlp on digits", "fgs")],
            ["fgs, lenet on digits", "fgs, mlp on digits"],
        ),
        (
            [("lenet, epsilon=0.1", "pgd (epsilon=0.1)"), ("lenet, epsilon=0.2", "pgd (epsilon=0.2)")],
            ["pgd (epsilon=0.1)", "pgd (epsilon=0.2)"],
        ),
        (
            [
                (f"{run}: lenet, {option}seed={seed}", attack)
                for run, option, attack in (("fgs", "", "fgs"), ("hot_cold", "hot=0, ", "hot_cold (discrete, hot=0)"))
                for seed in (0, 1)
            ],
            [
                "fgs, seed=0",
                "fgs, seed=1",
                "hot_cold (discrete, hot=0), seed=0",
                "hot_cold (discrete, hot=0), seed=1",
            ],
        ),
        (
            [(f"{net}, seed={seed}", "fgs") for net in ("lenet", "mlp") for seed in (0, 1)],
            ["fgs, lenet, seed=0", "fgs, lenet, seed=1", "fgs, mlp, seed=0", "fgs, mlp, seed=1"],
        ),
        (
            [("fgs: lenet on digits (v001)", "fgs"), ("fgs: lenet on digits (v002)", "fgs")],
            ["fgs (v001)", "fgs (v002)"],
        ),
    ],
)
def test_curves_are_told_apart_and_nothing_is_said_twice(keys: list[tuple[str, str]], labels: list[str]) -> None:
    assert curve_labels(keys) == labels


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("fgs: lenet on digits", "lenet on digits"),
        ("lenet, seed=0 (v001)", "lenet"),
        ("lenet on digits (v001)", "lenet on digits"),
    ],
)
def test_the_network_of_a_run(run: str, expected: str) -> None:
    assert network(run) == expected
