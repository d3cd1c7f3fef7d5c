"""Verdicts taken together: over the runs of one network, and over networks, for statements about all or most of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from advlab.statistics.claims import MIN_SAMPLES, Verdict

#: what a statement about several networks may be about, as `Claim.networks` says it
SCOPES = ("", "all", "most")


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several about the same network: theirs where they agree, else undecided; `not measured` has no voice.

    >>> together(["holds", "holds", "not measured"]), together(["holds", "undecided"]), together([])
    ('holds', 'undecided', 'not measured')
    """
    said = set(verdicts) - {"not measured"}
    if not said:
        return "not measured"
    return said.pop() if len(said) == 1 else "undecided"


def over_networks(scope: str, verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict about all or most networks; networks on which nothing was measured do not count.

    Of all: one network on which it does not hold decides; it holds when it holds on each of at least six. Of most: the
    95 % Wilson interval of the share of networks on which it holds lies above one half, those that are undecided taken
    as either.

    Args:
        scope: `all` or `most`.
        verdicts: one a network.

    >>> over_networks("all", ["holds"] * 6), over_networks("all", ["holds"] * 5), over_networks("all", ["does not hold"])
    ('holds', 'undecided', 'does not hold')
    >>> over_networks("most", ["holds"] * 6), over_networks("most", ["holds"] * 3 + ["undecided"] * 3)
    ('holds', 'undecided')
    """
    if scope not in ("all", "most"):
        raise ValueError(f"a statement is about all or most networks, not {scope!r}")
    count = sum(verdict != "not measured" for verdict in verdicts)
    holding, undecided = verdicts.count("holds"), verdicts.count("undecided")
    if not count:
        return "not measured"
    if scope == "all" and "does not hold" in verdicts:
        return "does not hold"
    if count < MIN_SAMPLES:
        return "undecided"
    if scope == "all":
        return "holds" if holding == count else "undecided"
    if wilson(holding, count)[0] > 0.5:
        return "holds"
    return "does not hold" if wilson(holding + undecided, count)[1] <= 0.5 else "undecided"


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): the shares that `hits` of `count` do not refute."""
    z = NormalDist().inv_cdf(0.975)
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return centre - half, centre + half
