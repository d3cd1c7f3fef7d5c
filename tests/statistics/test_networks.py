"""Statements about all or most networks, from the verdicts of their runs."""

from __future__ import annotations

import math

import pytest

from advlab.statistics.intervals import share_interval
from advlab.statistics.networks import judge_networks

H, F, U, N = "holds", "does not hold", "undecided", "not measured"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([H] * 6, H),
        ([H] * 5, U),  # fewer than six
        ([H] * 5 + [N], U),
        ([H] * 5 + [U], U),
        ([H] * 20 + [U], U),
        ([H] * 20 + [F], F),
        ([F], F),  # one counterexample
        ([U] * 9, U),
        ([N, N], N),
        ([], N),
    ],
)
def test_all(verdicts: list[str], expected: str) -> None:
    assert judge_networks("all", {k: [verdict] for k, verdict in enumerate(verdicts)}).verdict == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([H] * 6, H),  # .54 to 1
        ([H] * 5, U),
        ([F] * 6, F),
        ([H] * 6 + [F], U),
        ([H] * 9 + [F], H),  # .55 to 1
        ([H] * 9 + [U], H),
        ([H] * 6 + [U] * 2, U),  # if they failed: .35
        ([U] * 12, U),
        ([F] * 9 + [U], F),
        ([H] * 5 + [N], U),
        ([N], N),
    ],
)
def test_most(verdicts: list[str], expected: str) -> None:
    assert judge_networks("most", {k: [verdict] for k, verdict in enumerate(verdicts)}).verdict == expected


def test_the_interval_spans_from_all_undecided_failing_to_all_holding() -> None:
    found = judge_networks("most", {k: [v] for k, v in enumerate([H, H, H, F, U, U])})
    assert (found.holding, found.failing, found.undecided) == (3, 1, 2)
    assert found.share.estimate == 0.75
    assert found.share.low == share_interval([1, 1, 1, 0, 0, 0]).low
    assert found.share.high == share_interval([1, 1, 1, 1, 1, 0]).high
    assert math.isnan(judge_networks("most", {"a": [U]}).share.estimate)


def test_seeds_are_runs_of_one_network() -> None:
    seeds = {"lenet": [H] * 6}
    assert judge_networks("all", seeds).verdict == judge_networks("most", seeds).verdict == U
    found = judge_networks("most", {"same": [H, H, N], "differ": [H, U], "contradict": [H, F], "none": [N]})
    assert (found.holding, found.failing, found.undecided, found.share.samples) == (1, 0, 2, 3)
    assert judge_networks("all", {**{k: [H] for k in range(6)}, "contradict": [H, F]}).verdict == F
