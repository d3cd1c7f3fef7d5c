"""Verdicts over networks, against counts by hand and scipy's Wilson interval."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from advlab.results.board.networks import over_networks, together, wilson
from advlab.statistics.claims import Verdict

YES: Verdict = "holds"
NO: Verdict = "does not hold"
OPEN: Verdict = "undecided"
NONE: Verdict = "not measured"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([YES] * 6, YES), ([YES] * 5, OPEN), ([YES] * 5 + [NONE] * 3, OPEN), ([YES] * 6 + [NONE], YES),
        ([YES] * 11 + [NO], NO), ([NO], NO), ([OPEN, NO], NO), ([YES] * 11 + [OPEN], OPEN), ([], NONE), ([NONE] * 7, NONE),
    ],
)  # fmt: skip
def test_all_networks(verdicts: list[Verdict], expected: Verdict) -> None:
    assert over_networks("all", verdicts) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([YES] * 6, YES), ([NO] * 6, NO), ([YES] * 5, OPEN), ([NO] * 5, OPEN),
        ([YES] * 5 + [NO], OPEN),  # Wilson's lower bound of 5 in 6 is .44
        ([YES] * 7 + [NO], YES),  # of 7 in 8 it is .53
        ([YES] * 7 + [OPEN], YES), ([YES] * 5 + [OPEN], OPEN),
        ([NO] * 7 + [OPEN], NO), ([NO] * 6 + [OPEN] * 2, OPEN),  # 2 in 8 may be .59
        ([YES] * 6 + [NONE] * 9, YES), ([NONE] * 6, NONE),
    ],
)  # fmt: skip
def test_most_networks(verdicts: list[Verdict], expected: Verdict) -> None:
    assert over_networks("most", verdicts) == expected


def test_the_interval_is_wilsons() -> None:
    for count in (1, 6, 9, 30):
        for hits in range(count + 1):
            reference = binomtest(hits, count).proportion_ci(method="wilson")
            assert wilson(hits, count) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_another_scope_is_a_defect() -> None:
    with pytest.raises(ValueError, match="all or most"):
        over_networks("", [YES])


def test_runs_of_one_network() -> None:
    assert together([YES, YES]) == YES
    assert together([NO, NONE]) == NO
    assert together([YES, NO]) == together([YES, OPEN]) == OPEN
    assert together([NONE]) == together([]) == NONE
