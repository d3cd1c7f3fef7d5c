"""A statement that is judged many times errs as rarely as one that is judged once."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from advlab.statistics.claims import Claim, claims_text, judge
from advlab.statistics.families import simultaneous
from advlab.statistics.intervals import NOT_MEASURED, Interval, exact, lower_bound, median_interval, share_interval


def claim(interval: Interval, subset: str = "s", name: str = "c", threshold: float = 0.0) -> Claim:
    return judge(name, interval, ">", threshold, subset=subset, statement="said", quantity="q")


def decided(claims: list[Claim]) -> bool:
    return any(c.verdict in ("holds", "does not hold") for c in claims)


def test_twenty_layers_of_which_nothing_is_true_are_decided_in_five_of_a_hundred_runs() -> None:
    """At the threshold itself a median is decided in 5 % of all tables, by mistake; of twenty single ones in most."""
    random = np.random.default_rng(0)
    alone, together = [], []
    for _ in range(400):
        claims = [claim(median_interval(x), str(k)) for k, x in enumerate(random.normal(size=(20, 40)))]
        alone.append(decided(claims))
        together.append(decided(simultaneous(claims)))
    assert np.mean(alone) > 0.3
    assert np.mean(together) < 0.075


def test_both_intervals_are_kept() -> None:
    values = np.random.default_rng(1).normal(0.5, 1, size=60)
    single = claim(median_interval(values), "a")
    (found, _, other) = simultaneous(
        [single, claim(median_interval(-values), "b"), claim(median_interval(values), "a", "other")]
    )
    assert type(found) is Claim
    assert (found.low, found.high) == (single.low, single.high) == median_interval(values)[1:3]
    assert (found.family, found.family_low, found.family_high) == (2, *median_interval(values, confidence=0.975)[1:3])
    assert found.family_low < found.low < found.high < found.family_high
    assert (other.family, other.family_low, other.family_high) == (1, other.low, other.high)  # of another name
    assert found.verdict_alone == single.verdict


def test_the_verdict_is_by_the_family() -> None:
    """80 of 80 exclude 95 % alone, and not as one of two."""
    interval = share_interval([True] * 80)
    (alone,) = simultaneous([claim(interval, threshold=0.95)])
    assert (alone.verdict, alone.verdict_alone, alone.family) == ("holds", "holds", 1)
    both = simultaneous([claim(interval, name, threshold=0.95) for name in ("a", "b")])
    assert [(c.verdict, c.verdict_alone, c.family) for c in both] == [("undecided", "holds", 2)] * 2
    line = claims_text(both).splitlines()[0]
    assert line.endswith("q: 1 [0.947, 1], claimed > 0.95, n = 80, family of 2 (alone: holds)")


def test_a_claim_below_is_judged_below_in_a_family_too() -> None:
    values = share_interval([False] * 300)
    claims = [judge("c", values, "<", 0.1, subset=s, statement="said", quantity="q") for s in "ab"]
    assert [(c.verdict, c.family) for c in simultaneous(claims)] == [("holds", 2)] * 2


def test_what_is_computed_beside_a_family_is_none_of_it() -> None:
    sampled = [claim(share_interval([True] * 300), s, threshold=0.9) for s in "ab"]
    for other in (exact(1.0), lower_bound(1.0), NOT_MEASURED):
        assert [c.family for c in simultaneous([*sampled, claim(other, "c", threshold=0.9)])] == [2, 2, 1]


def test_what_is_computed_or_missing_is_in_no_family() -> None:
    sampled = claim(share_interval([True] * 80), "a", threshold=0.95)
    for other in (exact(1.0), lower_bound(1.0), NOT_MEASURED):
        claims = simultaneous([sampled, claim(other, "b", threshold=0.95)])
        assert [c.family for c in claims] == [1, 1]
        assert claims[0].verdict == "holds"
        assert claims[1].verdict == claim(other, threshold=0.95).verdict


def test_six_samples_decide_alone_and_not_in_a_family() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert claim(median_interval(values)).verdict == "holds"  # 96.9 %
    assert [c.verdict for c in simultaneous([claim(median_interval(values), s) for s in "ab"])] == ["undecided"] * 2


def test_an_interval_by_hand_decides_nothing_in_a_family_and_a_claim_by_hand_stays() -> None:
    by_hand = claim(Interval(5.0, 4.0, 6.0, 30))
    assert [c.verdict for c in simultaneous([by_hand])] == ["holds"]
    assert [c.verdict for c in simultaneous([by_hand, by_hand])] == ["undecided"] * 2
    own = Claim("c", "s", "said", "q", ">", 0.0, 5.0, 4.0, 6.0, 30, "holds")
    assert simultaneous([own, own]) == [own, own]
    assert (own.family, own.family_low, own.family_high, own.verdict_alone) == (1, 4.0, 6.0, "holds")


@pytest.mark.parametrize("size", [2, 10, 440])
def test_a_family_of_any_size_has_finite_intervals_of_shares(size: int) -> None:
    claims = simultaneous([claim(share_interval([True] * 300), str(k), threshold=0.9) for k in range(size)])
    assert all(math.isfinite(c.family_low) and c.family == size and c.verdict == "holds" for c in claims)


def test_experiments_make_no_interval_that_families_cannot_ask_again() -> None:
    """One that is made by hand is open in a family, so that its claim can never be decided there."""
    folder = Path(__file__).parents[2] / "experiments"
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    by_hand = {name for name, text in texts.items() if re.search(r"(?:return|=) Interval\(", text)}
    assert len(texts) > 50
    assert {name for name in by_hand if not re.search(r"at_any_confidence|\.recompute = ", texts[name])} == set()
