"""Verdicts against a table of cases, and how they are said."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import pytest

from advlab.statistics.claims import Claim, claims_text, judge
from advlab.statistics.intervals import Interval, exact, lower_bound, upper_bound

NAN = math.nan
Relation = Literal[">", "<"]


def verdict(low: float, estimate: float, high: float, relation: Relation, threshold: float) -> str:
    interval = Interval(estimate, low, high, 7)
    claim = judge("c", interval, relation, threshold, subset="s", statement="said", quantity="q")
    assert (claim.estimate, claim.low, claim.high, claim.samples) == pytest.approx((*interval,), nan_ok=True)
    assert (claim.relation, claim.threshold) == (relation, threshold)
    return claim.verdict


@pytest.mark.parametrize(
    ("low", "estimate", "high", "above", "below"),
    [
        (2, 3, 4, "holds", "does not hold"),
        (-4, -3, -2, "does not hold", "holds"),
        (0, 1.5, 2, "undecided", "undecided"),
        (1, 1.5, 2, "undecided", "does not hold"),  # on the threshold is not beyond it
        (0, 0.5, 1, "does not hold", "undecided"),
        (1, 1, 1, "does not hold", "does not hold"),
        (-math.inf, 0, math.inf, "undecided", "undecided"),
        (math.inf, math.inf, math.inf, "holds", "does not hold"),
        (NAN, NAN, NAN, "not measured", "not measured"),
    ],
)
def test_verdicts(low: float, estimate: float, high: float, above: str, below: str) -> None:
    assert verdict(low, estimate, high, ">", 1) == above
    assert verdict(low, estimate, high, "<", 1) == below


def test_an_undefined_bound_decides_nothing() -> None:
    for low, high in ((NAN, 5.0), (0.5, NAN), (NAN, NAN), (NAN, 0.5), (2.0, NAN)):
        for relation in (">", "<"):
            assert verdict(low, 0.7, high, relation, 1) == "undecided"  # type: ignore[arg-type]


def test_verdicts_mirror() -> None:
    """Of negated numbers the opposite relation holds in the same cases."""
    for low, high, threshold in itertools.product((-2.0, -0.5, 0.5, 2.0), repeat=3):
        low, high = min(low, high), max(low, high)
        assert verdict(low, low, high, ">", threshold) == verdict(-high, -low, -low, "<", -threshold)


@pytest.mark.parametrize(("samples", "verdict"), [(5, "undecided"), (6, "holds")])
def test_fewer_than_six_samples_decide_nothing(samples: int, verdict: str) -> None:
    claim = judge("c", Interval(0.5, 0.4, 0.6, samples), ">", 0.1, subset="s", statement="said", quantity="q")
    assert claim.verdict == verdict


@pytest.mark.parametrize(
    ("value", "above", "below"),
    [
        (2.0, "holds", "does not hold"),
        (0.5, "does not hold", "holds"),
        (1.0, "does not hold", "does not hold"),
        (math.inf, "holds", "does not hold"),
        (NAN, "not measured", "not measured"),
    ],
)
def test_an_exact_number_decides_without_samples(value: float, above: str, below: str) -> None:
    verdicts = [
        judge("c", exact(value), relation, 1, subset="s", statement="said", quantity="q").verdict
        for relation in (">", "<")
    ]
    assert verdicts == [above, below]


@pytest.mark.parametrize("interval", [Interval(2, 2, 2, 1), Interval(2, 2, 2, 5), Interval(2, 1.9, 2.1, 0)])
def test_an_interval_without_width_is_exact_only_where_nothing_was_sampled(interval: Interval) -> None:
    assert judge("c", interval, ">", 1, subset="s", statement="said", quantity="q").verdict == "undecided"


@pytest.mark.parametrize(
    ("interval", "above", "below"),
    [
        (lower_bound(2.0), "holds", "does not hold"),
        (lower_bound(0.5), "undecided", "undecided"),
        (lower_bound(1.0), "undecided", "does not hold"),  # it is 1 or more
        (upper_bound(2.0), "undecided", "undecided"),
        (upper_bound(0.5), "does not hold", "holds"),
        (upper_bound(1.0), "does not hold", "undecided"),  # it is 1 or less, and on the threshold is not above it
        (lower_bound(NAN), "not measured", "not measured"),
        (upper_bound(NAN), "not measured", "not measured"),
    ],
)
def test_a_bound_decides_in_its_direction_only(interval: Interval, above: str, below: str) -> None:
    for relation, expected in ((">", above), ("<", below)):
        claim = judge("c", interval, relation, 1, subset="s", statement="said", quantity="q")  # type: ignore[arg-type]
        assert claim.verdict == claim.verdict_alone == expected


def test_claims_text_says_that_a_number_is_a_bound() -> None:
    for interval, said in ((lower_bound(1.07), ">= 1.07, claimed > 1, lower bound"),
                           (upper_bound(0.5), "<= 0.5, claimed > 1, upper bound")):  # fmt: skip
        claim = judge("c", interval, ">", 1, subset="s", statement="said", quantity="norm")
        assert claims_text([claim]).splitlines()[0].endswith(f"norm: {said}")
        assert claim.bound == said[:2]
    assert judge("c", exact(1.0), ">", 1, subset="s", statement="said", quantity="norm").bound == ""


def test_claims_text_says_that_a_number_is_exact() -> None:
    line = claims_text([judge("c", exact(0.5), "<", 1, subset="s", statement="said", quantity="share")]).splitlines()[0]
    assert line.endswith("share: 0.5, claimed < 1, exact")


def test_claims_text_names_verdict_and_numbers() -> None:
    claims = [
        judge("a", Interval(0.5, 0.4, 0.6, 12), ">", 0.1, subset="l2, 0..1", statement="said", quantity="median range"),
        judge("b", Interval(NAN, NAN, NAN, 0), "<", 0.1, subset="x", statement="said", quantity="share"),
    ]
    lines = claims_text(claims).splitlines()
    assert len(lines) == 4
    assert "holds" in lines[0]
    assert "median range: 0.5 [0.4, 0.6], claimed > 0.1, n = 12" in lines[0]
    assert "not measured" in lines[1]
    assert lines[2:] == ["l2, 0..1: 1 of 1 statements hold", "x: 0 of 1 statements hold, 1 not measured"]
    assert claims_text([]) == ""
    assert isinstance(claims[0], Claim)
