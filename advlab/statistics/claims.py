"""A paper's statement as a check: the paper's number, ours with an interval, and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from advlab.statistics.intervals import Interval, exact

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]

#: With fewer samples the verdict is `undecided`: not even the interval from the smallest to the largest of n samples covers the
#: median with 95 %, but with 1 - 2 / 2^n. The bootstrap's percentiles cover it with about 94 % at six samples, 89 % at seven, and
#: 92 to 96 % from eight on (simulated, normal samples).
MIN_SAMPLES = 6

#: how the last line about a subset words the verdicts other than `holds`: "3 of 5 statements hold, 2 do not"
VERDICT_WORDS: dict[Verdict, str] = {
    "does not hold": "do not",
    "undecided": "undecided",
    "not measured": "not measured",
}


@dataclass(frozen=True)
class Claim:
    """One line of claims.csv.

    The verdict is `holds` when the whole interval lies on the claimed side of the threshold, `does not hold` when it
    lies wholly on the other side, `undecided` when it straddles it or there are fewer than six samples, `not measured`
    when there is nothing to judge by. Numbers that are computed and not sampled (`exact`) have 0 samples and no width.
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
    samples: int  # 0: computed, not sampled
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
    of_samples: bool = False,
) -> Claim:
    """The claim that the quantity behind `interval` is above (">") or below ("<") `threshold`.

    Args:
        claim: short name.
        interval: what was measured.
        relation: the claimed side.
        threshold: fixed beforehand.
        subset: the part of the table it is about.
        statement: what the paper says, and where.
        quantity: what is measured.
        of_samples: the statement is about the samples at hand ("in at least 95 % of the samples"): it holds when the
            estimate itself reaches the threshold, which an interval's bound could not with fewer than 73 samples.

    Examples:
        >>> interval = Interval(estimate=0.9, low=0.8, high=1.0, samples=30)
        >>> words = {"subset": "", "statement": "", "quantity": ""}
        >>> [judge("", interval, ">", threshold, **words).verdict for threshold in (0.7, 0.85, 1.0)]
        ['holds', 'undecided', 'does not hold']
    """
    if relation == ">":  # a claim of "<" is judged as one of ">" about the negative numbers
        low, high, limit = interval.low, interval.high, threshold
    else:
        low, high, limit = -interval.high, -interval.low, -threshold
    reached = of_samples and (interval.estimate >= threshold if relation == ">" else interval.estimate <= threshold)
    verdict: Verdict
    if math.isnan(interval.estimate):
        verdict = "not measured"
    elif interval.samples < MIN_SAMPLES and interval != exact(interval.estimate):
        verdict = "undecided"
    elif reached or limit < low <= high:  # false when a bound is NaN
        verdict = "holds"
    elif low <= high <= limit:
        verdict = "does not hold"
    else:
        verdict = "undecided"
    return Claim(
        claim, subset, statement, quantity, relation, threshold, interval.estimate, interval.low, interval.high,
        interval.samples, verdict,
    )  # fmt: skip


def claims_across_runs(claims_of_runs: dict[str, list[Claim]]) -> str:
    """In how many runs each statement holds, a line for each subset and claim that any run has.

    Args:
        claims_of_runs: the claims of each run, by its label.
    """
    keys = list(dict.fromkeys((c.subset, c.claim) for claims in claims_of_runs.values() for c in claims))
    lines = []
    for subset, name in keys:
        verdicts = {
            label: c.verdict
            for label, claims in claims_of_runs.items()
            for c in claims
            if (c.subset, c.claim) == (subset, name)
        }
        others = [f"{label}: {verdict}" for label, verdict in verdicts.items() if verdict != "holds"]
        holding = len(verdicts) - len(others)
        lines.append(
            f"{subset}  {name}: holds in {holding} of {len(verdicts)}" + (f" ({'; '.join(others)})" if others else "")
        )
    return "\n".join(lines)


def claims_text(claims: list[Claim]) -> str:
    """The claims as lines for the end of a run: verdict, numbers, and for each subset how many hold."""
    subsets = list(dict.fromkeys(c.subset for c in claims))
    width = max(map(len, subsets), default=0)
    lines = []
    for c in claims:
        bounds, source = f" [{c.low:.3g}, {c.high:.3g}]", f"n = {c.samples}"
        if not c.samples and not math.isnan(c.estimate):
            bounds, source = "", "exact"
        numbers = f"{c.estimate:.3g}{bounds}, claimed {c.relation} {c.threshold:g}, {source}"
        lines.append(f"{c.verdict:>13}  {c.subset:<{width}}  {c.quantity}: {numbers}")
    for subset in subsets:
        verdicts = [c.verdict for c in claims if c.subset == subset]
        holding = f"{verdicts.count('holds')} of {len(verdicts)} statements hold"
        others = [
            f"{verdicts.count(verdict)} {words}" for verdict, words in VERDICT_WORDS.items() if verdict in verdicts
        ]
        lines.append(f"{subset}: {', '.join([holding, *others])}")
    return "\n".join(lines)
