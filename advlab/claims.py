"""A paper's statement as a check: the paper's number, ours with an interval, and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from advlab.metrics.intervals import Interval

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]


FEWEST = 6  # samples: with fewer, not even the whole range of a sample covers its median with 95 % (1 - 2 / 2^n)
OTHERS: dict[Verdict, str] = {"does not hold": "do not", "undecided": "undecided", "not measured": "not measured"}


@dataclass(frozen=True)
class Claim:
    """One line of claims.csv.

    The verdict is `holds` when the whole interval lies on the claimed side of the threshold, `does not hold` when it
    lies wholly on the other side, `undecided` when it straddles it or there are fewer than six samples, `not measured`
    when there is nothing to judge by.
    """

    claim: str  # short name
    subset: str  # the part of the table it is about, such as a reading of the radius
    statement: str  # what the paper says, and where
    quantity: str  # what is measured
    relation: str  # ">" or "<"
    threshold: float  # fixed beforehand
    estimate: float
    low: float  # bounds of the 95 % interval
    high: float
    samples: int
    verdict: Verdict


def judge(
    claim: str,
    interval: Interval,
    relation: Literal[">", "<"],
    threshold: float,
    *,
    subset: str,
    statement: str,
    quantity: str,
) -> Claim:
    """The claim that the quantity behind `interval` is above (">") or below ("<") `threshold`."""
    if relation == ">":
        low, high, limit = interval.low, interval.high, threshold
    else:
        low, high, limit = -interval.high, -interval.low, -threshold
    verdict: Verdict
    if math.isnan(interval.estimate):
        verdict = "not measured"
    elif interval.samples < FEWEST:
        verdict = "undecided"
    elif limit < low <= high:  # false when a bound is NaN
        verdict = "holds"
    elif low <= high <= limit:
        verdict = "does not hold"
    else:
        verdict = "undecided"
    return Claim(
        claim, subset, statement, quantity, relation, threshold, interval.estimate, interval.low, interval.high,
        interval.samples, verdict,
    )  # fmt: skip


def summary(claims: list[Claim]) -> str:
    """The claims as lines for the end of a run: verdict, numbers, and for each subset how many hold."""
    subsets = list(dict.fromkeys(c.subset for c in claims))
    width = max(map(len, subsets), default=0)
    lines = []
    for c in claims:
        numbers = f"{c.estimate:.3g} [{c.low:.3g}, {c.high:.3g}], claimed {c.relation} {c.threshold:g}, n = {c.samples}"
        lines.append(f"{c.verdict:>13}  {c.subset:<{width}}  {c.quantity}: {numbers}")
    for subset in subsets:
        verdicts = [c.verdict for c in claims if c.subset == subset]
        held = verdicts.count("holds")
        counts = [f"{verdicts.count(v)} {w}" for v, w in OTHERS.items() if v in verdicts]
        lines.append(f"{subset}: {', '.join([f'{held} of {len(verdicts)} statements hold', *counts])}")
    return "\n".join(lines)
