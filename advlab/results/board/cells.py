"""One cell of the board: a statement on a network, judged in one run or in one for each seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from advlab.statistics.claims import Claim, Verdict
from advlab.statistics.intervals import interval_text


@dataclass(frozen=True)
class Cell:
    """A statement on a network.

    Attributes:
        claims: of the runs, one a seed.
        former: their verdicts in claims.csv, where the claims were judged again (None of a claim that is not there).
    """

    claims: list[Claim]
    former: list[Verdict | None]

    @property
    def verdict(self) -> Verdict:
        """That of the runs, taken together."""
        return together([claim.verdict for claim in self.claims])

    @property
    def changed(self) -> bool:
        """Whether a run's verdict is another than in its claims.csv."""
        return bool(self.former) and any(c.verdict != f for c, f in zip(self.claims, self.former, strict=True))

    @property
    def verdict_text(self) -> str:
        """`holds`; where it has changed `undecided -> holds`."""
        if not self.changed:
            return self.verdict
        known = [verdict for verdict in self.former if verdict is not None]
        return f"{together(known) if known else 'new'} -> {self.verdict}"

    @property
    def runs_text(self) -> str:
        """Of several runs that do not agree `holds in 2 of 3, undecided in 1`, and what that was before; otherwise empty."""
        now, before = counted([claim.verdict for claim in self.claims]), counted(self.former)
        texts = [f"before: {before}"] if self.changed and " in " in before + now else []
        return "; ".join([*texts, now] if texts or " in " in now else [])

    @property
    def estimate(self) -> float:
        """The mean over runs; NaN where nothing was measured."""
        numbers = [claim.estimate for claim in self.claims if not math.isnan(claim.estimate)]
        return fmean(numbers) if numbers else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation over runs (n - 1); NaN of fewer than two, or where one is infinite."""
        numbers = [claim.estimate for claim in self.claims if not math.isnan(claim.estimate)]
        return stdev(numbers) if len(numbers) > 1 and all(map(math.isfinite, numbers)) else math.nan

    @property
    def low(self) -> float:
        """The lower bound of the interval that decides (of a family, the family's); of several runs the lowest."""
        return min((c.family_low for c in self.claims if not math.isnan(c.family_low)), default=math.nan)

    @property
    def high(self) -> float:
        """The upper bound; of several runs the highest."""
        return max((c.family_high for c in self.claims if not math.isnan(c.family_high)), default=math.nan)

    @property
    def numbers_text(self) -> str:
        """`0.354 [0.246, 0.469]`, of what is computed `1` or `>= 0.9`, of several runs `0.36 ± 0.02`; empty where there is none."""
        if math.isnan(self.estimate):
            return ""
        if len(self.claims) > 1:
            spread = "" if math.isnan(self.deviation) else f" ± {self.deviation:.2g}"
            bounds = {claim.bound for claim in self.claims}
            return f"{bounds.pop() if len(bounds) == 1 else ''} {self.estimate:.3g}{spread}".lstrip()
        (claim,) = self.claims
        if claim.samples == 0 or math.isnan(self.low):
            return f"{claim.bound} {self.estimate:.3g}".lstrip()
        return interval_text(self.estimate, self.low, self.high)

    @property
    def text(self) -> str:
        """Verdict and numbers, and how many of several runs agree: `undecided, 0.36 ± 0.02 (holds in 2 of 3, undecided in 1)`."""
        text = ", ".join(text for text in (self.verdict_text, self.numbers_text) if text)
        return f"{text} ({self.runs_text})" if self.runs_text else text


def counted(verdicts: Sequence[Verdict | None]) -> str:
    """`holds`, or where several do not agree `holds in 2 of 3, undecided in 1`; `new` of None."""
    names = ["new" if verdict is None else verdict for verdict in verdicts]
    different = list(dict.fromkeys(names))
    if len(different) < 2:
        return different[0] if different else ""
    first, *others = [f"{name} in {names.count(name)}" for name in different]
    return ", ".join([f"{first} of {len(names)}", *others])


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several about the same network: theirs where they agree, else undecided; `not measured` has no voice.

    >>> together(["holds", "holds", "not measured"]), together(["holds", "undecided"]), together([])
    ('holds', 'undecided', 'not measured')
    """
    said = set(verdicts) - {"not measured"}
    if not said:
        return "not measured"
    return said.pop() if len(said) == 1 else "undecided"
