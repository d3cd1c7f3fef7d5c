"""A paper's statement as a check: the paper's number, ours with an interval, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from advlab.statistics.intervals import NOT_MEASURED, Interval, interval_text

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
Relation = Literal[">", "<"]

#: Of networks, those that a statement is about beyond the one that was measured: "" says nothing of others.
Networks = Literal["", "all", "most"]

#: With fewer samples the verdict is `undecided`: not even the interval from the smallest to the largest of n samples covers the
#: median with 95 %, but with 1 - 2 / 2^n.
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
    when there is nothing to judge by. Numbers that are computed and not sampled have 0 samples: their interval has no width
    (`exact`), or is open on one side (`lower_bound`, `upper_bound`) and decides in one direction alone.

    Where a run judges one statement several times, in claims of one name, `verdict` is by the intervals that cover together
    (`simultaneous`), and `low` and `high` are those of the claim alone. Tables that versions before wrote lack the columns
    from `family` on: their verdicts are those of each claim alone.
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
    family: int = 1  # claims of this name whose intervals cover together with 95 %
    family_low: float = math.nan  # bounds of that interval
    family_high: float = math.nan
    verdict_alone: str = ""  # by low and high, as if this claim were the only one
    networks: str = ""  # of how many networks the paper says it: all or most; of more runs, see `judge_networks`

    def __post_init__(self) -> None:
        """A claim that is alone has its own interval and verdict as those of its family."""
        if self.family == 1:
            own = {"family_low": self.low, "family_high": self.high, "verdict_alone": self.verdict}
            for name, value in own.items():
                object.__setattr__(self, name, value)

    @property
    def bound(self) -> str:
        """`>=` or `<=` where the estimate only bounds the quantity, from below or from above; otherwise empty."""
        if not Interval(self.estimate, self.low, self.high, self.samples).computed or self.low == self.high:
            return ""
        return ">=" if self.low == self.estimate else "<="


@dataclass(frozen=True)
class JudgedClaim(Claim):
    """A claim as `judge` makes it: with its interval, of which its family's is asked."""

    interval: Interval = field(default=NOT_MEASURED, compare=False, repr=False)


def judge(
    claim: str,
    interval: Interval,
    relation: Relation,
    threshold: float,
    *,
    subset: str,
    statement: str,
    quantity: str,
    networks: Networks = "",
) -> Claim:
    """The claim that the quantity behind `interval` is above (">") or below ("<") `threshold`.

    Args:
        claim: short name; claims of one name in one run are one statement judged several times, see `simultaneous`.
        interval: what was measured.
        relation: the claimed side.
        threshold: fixed beforehand.
        subset: the part of the table it is about.
        statement: what the paper says, and where.
        quantity: what is measured.
        networks: whether the paper says it of `all` or of `most` networks; this run's is one of them.

    Examples:
        >>> interval = Interval(estimate=0.9, low=0.8, high=1.0, samples=30)
        >>> words = {"subset": "", "statement": "", "quantity": ""}
        >>> [judge("", interval, ">", threshold, **words).verdict for threshold in (0.7, 0.85, 1.0)]
        ['holds', 'undecided', 'does not hold']
    """
    numbers = (interval.estimate, interval.low, interval.high, interval.samples)
    verdict = verdict_of(interval, relation, threshold)
    return JudgedClaim(
        claim, subset, statement, quantity, relation, threshold, *numbers, verdict, networks=networks, interval=interval
    )


def verdict_of(interval: Interval, relation: str, threshold: float) -> Verdict:
    """Whether the quantity behind `interval` is above (">") or below ("<") `threshold`.

    Examples:
        A lower bound decides in its direction only.

        >>> from advlab.statistics import lower_bound
        >>> [verdict_of(lower_bound(value), ">", 1.0) for value in (1.1, 0.9)]
        ['holds', 'undecided']
    """
    if relation == ">":  # a claim of "<" is judged as one of ">" about the negative numbers
        low, high, limit = interval.low, interval.high, threshold
    else:
        low, high, limit = -interval.high, -interval.low, -threshold
    if math.isnan(interval.estimate):
        return "not measured"
    if interval.samples < MIN_SAMPLES and not interval.computed:
        return "undecided"
    if limit < low <= high:  # false when a bound is NaN
        return "holds"
    return "does not hold" if low <= high <= limit else "undecided"


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


def claims_text(claims: Sequence[Claim]) -> str:
    """The claims as lines for the end of a run: verdict, numbers, and for each subset how many hold.

    The interval is the one that decides: of a claim in a family, the family's; "alone" says what its own would have.
    """
    width = max((len(c.subset) for c in claims), default=0)
    lines = [f"{c.verdict:>13}  {c.subset:<{width}}  {c.quantity}: {numbers_text(c)}" for c in claims]
    return "\n".join([*lines, *subset_lines(claims), *family_lines(claims)])


def family_lines(claims: Sequence[Claim]) -> list[str]:
    """What a family is, where there is one: a line for the end of a run."""
    if all(claim.family == 1 for claim in claims):
        return []
    return ["family of N: the intervals of one statement's N checks, all N together, cover with 95 %, and so are wider"]


def subset_lines(claims: Sequence[Claim]) -> list[str]:
    """For each subset how many statements hold: `l2: 3 of 5 statements hold, 2 do not`."""
    lines = []
    for subset in dict.fromkeys(c.subset for c in claims):
        verdicts = [c.verdict for c in claims if c.subset == subset]
        holding = f"{verdicts.count('holds')} of {len(verdicts)} statements hold"
        others = [
            f"{verdicts.count(verdict)} {words}" for verdict, words in VERDICT_WORDS.items() if verdict in verdicts
        ]
        lines.append(f"{subset}: {', '.join([holding, *others])}")
    return lines


def numbers_of_claim(claim: Claim) -> tuple[str, str, str]:
    """`0.5 [0.4, 0.6]`, `> 0.1` and `12, family of 2`; of what is computed `>= 0.9`, `> 1` and `lower bound`."""
    claimed = f"{claim.relation} {claim.threshold:g}"
    if not claim.samples and not math.isnan(claim.estimate):
        kinds = {">=": "lower bound", "<=": "upper bound", "": "exact"}
        return f"{claim.bound} {claim.estimate:.3g}".lstrip(), claimed, kinds[claim.bound]
    units = f"{claim.samples}, family of {claim.family}" if claim.family > 1 else str(claim.samples)
    if claim.verdict != claim.verdict_alone:
        units += f" (alone: {claim.verdict_alone})"
    return interval_text(claim.estimate, claim.family_low, claim.family_high), claimed, units


def numbers_text(claim: Claim) -> str:
    """`0.5 [0.4, 0.6], claimed > 0.1, n = 12, family of 2`; of what is computed: `>= 0.9, claimed > 1, lower bound`."""
    interval, claimed, units = numbers_of_claim(claim)
    computed = not claim.samples and not math.isnan(claim.estimate)
    return f"{interval}, claimed {claimed}, {'' if computed else 'n = '}{units}"
