"""One statement that a run judges several times: verdicts by intervals that cover together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace

from advlab.statistics.claims import Claim, JudgedClaim, verdict_of

#: Of all claims of one name together, the probability that an interval misses; each of m has the confidence 1 - FAMILY_ERROR / m.
FAMILY_ERROR = 0.05


def simultaneous(claims: Sequence[Claim]) -> list[Claim]:
    """The claims of one run, those of one name judged by intervals that cover together with 95 % (Bonferroni).

    Each of the m claims of a name that are about samples is asked for its interval at the confidence 1 - .05 / m, and its
    verdict is by that. Exact numbers and bounds are never wrong by chance and need none. Claims that were not made by
    `judge` stay as they are.

    Args:
        claims: of one run.

    Examples:
        >>> from advlab.statistics import judge, share_interval
        >>> words = {"statement": "", "quantity": ""}
        >>> layers = [judge("all", share_interval([True] * 80), ">", 0.95, subset=name, **words) for name in ("a", "b")]
        >>> [(c.verdict_alone, c.family, c.verdict) for c in simultaneous(layers)]
        [('holds', 2, 'undecided'), ('holds', 2, 'undecided')]
    """
    sizes = Counter(claim.claim for claim in claims if _sampled(claim))
    return [_in_family(claim, sizes[claim.claim]) for claim in claims]


def _sampled(claim: Claim) -> bool:
    return isinstance(claim, JudgedClaim) and claim.samples > 0 and not math.isnan(claim.estimate)


def _in_family(claim: Claim, size: int) -> Claim:
    """The claim as a plain one, judged as one of `size` if its number is about samples."""
    if not isinstance(claim, JudgedClaim):
        return claim
    plain = Claim(**{column.name: getattr(claim, column.name) for column in fields(Claim)})
    if size < 2 or not _sampled(claim):
        return plain
    wide = claim.interval.at(1 - FAMILY_ERROR / size)
    verdict = verdict_of(wide, claim.relation, claim.threshold)
    return replace(plain, verdict=verdict, family=size, family_low=wide.low, family_high=wide.high)
