"""Newcombe's interval for the difference of two paired shares: his published numbers, and its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from advlab.experiments.aghdam2017.paired_shares import paired_difference

from advlab.statistics import judge, simultaneous


def test_it_is_newcombes_first_example_in_both_orders() -> None:
    first = paired_difference(36, 12, 2, 0)
    assert first == pytest.approx((0.2, 0.0569, 0.3404, 50), abs=5e-5)
    other = paired_difference(36, 2, 12, 0)
    assert other == pytest.approx((-0.2, -0.3404, -0.0569, 50), abs=5e-5)


def test_it_has_a_width_where_the_two_never_differ_and_none_without_images() -> None:
    alike = paired_difference(50, 0, 0, 0)
    assert alike.low < -0.05 < 0.05 < alike.high
    assert paired_difference(25, 0, 0, 25).low < 0
    assert math.isnan(paired_difference(0, 0, 0, 0).estimate)


@pytest.mark.parametrize("shares", [(0.9, 0.04, 0.02, 0.04), (0.5, 0.2, 0.1, 0.2), (0.97, 0.02, 0.005, 0.005)], ids=str)
def test_it_covers_the_true_difference(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    intervals = [paired_difference(*map(int, counts)) for counts in rng.multinomial(200, shares, size=2000)]
    covered = np.mean([i.low <= shares[1] - shares[2] <= i.high for i in intervals])
    assert 0.935 < covered < 0.985


def test_pairing_makes_it_narrower_than_two_independent_shares() -> None:
    paired, independent = (
        paired_difference(88, 7, 2, 3),
        paired_difference(86, 9, 4, 1),
    )  # the same shares, 95 and 90 of 100
    assert paired.estimate == pytest.approx(independent.estimate)
    assert paired.high - paired.low < independent.high - independent.low


def test_it_is_wider_at_a_higher_confidence_so_that_a_family_can_be_judged() -> None:
    """As if Wilson's bounds were those of 97.5 %, which each of two claims of one name is judged by."""
    alone, of_two = paired_difference(36, 12, 2, 0), paired_difference(36, 12, 2, 0).at(0.975)
    assert of_two == paired_difference(36, 12, 2, 0, confidence=0.975)
    assert -1 < of_two.low < alone.low < alone.high < of_two.high < 1
    rng = np.random.default_rng(1)
    intervals = [paired_difference(*map(int, c)).at(0.8) for c in rng.multinomial(200, (0.6, 0.2, 0.1, 0.1), size=2000)]
    assert 0.77 < np.mean([i.low <= 0.1 <= i.high for i in intervals]) < 0.84


def test_at_a_familys_confidence_it_is_wider_and_still_decides() -> None:
    """Separability judges one statement for several classifiers: an interval that is unknown at that confidence decides nothing."""
    alone = paired_difference(9000, 600, 100, 300)
    for family in (2, 20):
        wide = alone.at(1 - 0.05 / family)
        assert wide == paired_difference(9000, 600, 100, 300, confidence=1 - 0.05 / family)
        assert 0 < wide.low < alone.low < alone.high < wide.high < 0.1
    both = [
        judge("above-pixels", alone, ">", 0.0, subset=name, statement="", quantity="") for name in ("linear", "nearest")
    ]
    assert [(c.family, c.verdict) for c in simultaneous(both)] == [(2, "holds")] * 2
