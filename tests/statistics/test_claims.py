"""Verdicts against a table of cases, and intervals against known values and brute force.

Longer than other files: verdicts rest on intervals, and both are held against tables and brute force.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from scipy.stats import norm

from advlab.statistics.claims import Claim, claims_text, judge
from advlab.statistics.intervals import Interval, exact, median_interval, share_interval

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


# shares


def wilson_by_search(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """The interval's definition: the shares p whose score test (hits/n - p)^2 <= z^2 p (1 - p) / n accepts."""
    z = norm.ppf((1 + confidence) / 2)
    p = np.linspace(0, 1, 2_000_001)
    accepted = p[(hits / n - p) ** 2 <= z**2 * p * (1 - p) / n]
    return float(accepted[0]), float(accepted[-1])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 3), (7, 20), (299, 300), (0, 1), (1, 1)])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_share_interval_against_its_definition(hits: int, n: int, confidence: float) -> None:
    interval = share_interval([True] * hits + [False] * (n - hits), confidence=confidence)
    assert interval.estimate == hits / n
    assert interval.samples == n
    assert (interval.low, interval.high) == pytest.approx(wilson_by_search(hits, n, confidence), abs=2e-6)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_share_interval_known_values() -> None:
    """Newcombe (1998), table I, method 3 (score without correction)."""
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        interval = share_interval(np.arange(n) < hits)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_share_interval_covers() -> None:
    random = np.random.default_rng(1)
    for share in (0.1, 0.5, 0.95):
        covered = [
            low <= share <= high for _, low, high, _ in (share_interval(random.random(60) < share) for _ in range(1500))
        ]
        assert np.mean(covered) > 0.92


# medians


def test_median_interval_against_every_resample() -> None:
    """Five values have 5^5 resamples: the percentiles over all of them are the bootstrap's limit."""
    values = [0.1, 0.4, 1.0, 3.0, 7.0]
    medians = [float(np.median(draw)) for draw in itertools.product(values, repeat=5)]
    exact = np.quantile(medians, [0.025, 0.975])
    interval = median_interval(values, resamples=50_000)
    assert interval.estimate == 1.0
    assert (interval.low, interval.high) == tuple(exact)


def test_median_interval_covers() -> None:
    random = np.random.default_rng(2)
    covered = []
    for number in range(400):
        interval = median_interval(random.exponential(size=31), resamples=400, seed=number)
        covered.append(interval.low <= math.log(2) <= interval.high)
    assert 0.90 < np.mean(covered) < 0.995


def test_median_interval_is_near_the_order_statistics() -> None:
    """The distribution-free interval of the median of n = 100 are the 40th and 61st of the ordered values."""
    interval = median_interval(np.arange(1.0, 101.0))
    assert interval.estimate == 50.5
    assert interval.low == pytest.approx(40, abs=1.5)
    assert interval.high == pytest.approx(61, abs=1.5)


def test_median_interval_is_the_same_each_time_and_in_any_order() -> None:
    values = np.random.default_rng(3).random(30)
    assert median_interval(values) == median_interval(values.copy())
    wide = median_interval(values, confidence=0.99)
    narrow = median_interval(values, confidence=0.5)
    assert wide.low <= narrow.low <= narrow.estimate <= narrow.high <= wide.high


def test_missing_values_are_left_out_and_counted() -> None:
    whole = median_interval([1.0, 2.0, 5.0])
    assert median_interval([1.0, NAN, 2.0, 5.0, NAN]) == whole
    assert whole.samples == 3
    for nothing in (median_interval([]), median_interval([NAN, NAN]), share_interval([])):
        assert nothing.samples == 0
        assert math.isnan(nothing.estimate)
        assert math.isnan(nothing.low)
    assert median_interval([4.0]) == Interval(4.0, 4.0, 4.0, 1)


WRONG: dict[str, Callable[[Any], Interval]] = {
    "mean": lambda v: Interval(float(np.mean(v)), float(np.min(v)), float(np.max(v)), len(v)),
    "no width": lambda v: Interval(float(np.median(v)), float(np.median(v)), float(np.median(v)), len(v)),
    "whole range": lambda v: Interval(float(np.median(v)), float(np.min(v)), float(np.max(v)), len(v)),
    "normal": lambda v: Interval(
        float(np.median(v)), float(np.median(v) - np.std(v) / len(v)), float(np.median(v) + np.std(v) / len(v)), len(v)
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checks_above_refuse_wrong_intervals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = WRONG[name]
    monkeypatch.setitem(globals(), "median_interval", lambda values, **_: wrong(np.asarray(values)))
    checks = (
        test_median_interval_against_every_resample, test_median_interval_covers, test_median_interval_is_near_the_order_statistics,
    )  # fmt: skip
    failed = 0
    for check in checks:
        try:
            check()
        except AssertionError:
            failed += 1
    assert failed >= 2
