"""Statements about all or most networks, judged by the verdicts of several runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from advlab.statistics.claims import MIN_SAMPLES, Verdict, verdict_of
from advlab.statistics.intervals import NOT_MEASURED, Interval, share_interval


@dataclass(frozen=True)
class NetworksVerdict:
    """A statement about networks, with how many of those that were measured it is true of.

    Attributes:
        verdict: on the statement about all or most of them.
        holding: networks of which the statement holds.
        failing: networks of which it does not.
        undecided: networks that do not decide it, or whose runs disagree.
        share: of all networks; the estimate is holding / (holding + failing), NaN where none is decided, and the bounds
            are the lowest and the highest that the undecided ones leave possible.
    """

    verdict: Verdict
    holding: int
    failing: int
    undecided: int
    share: Interval


def judge_networks(
    networks: Literal["all", "most"], runs: Mapping[Any, Collection[str]], *, confidence: float = 0.95
) -> NetworksVerdict:
    """Whether a statement that was judged for single networks is true of all, or of most, networks.

    The unit is the network, an architecture on a dataset. Trainings of it with several seeds are runs of one network; its
    verdict is the one that they share, and undecided where they differ. Runs and networks that were not measured are left out.

    all: does not hold as soon as it does not hold in one run, since one counterexample suffices (that each run's verdict is
    wrong with at most 2.5 % adds up over many runs); holds where it holds for each network and there are at least six.

    most: the share of networks above one half, by exact intervals: the lower bound is that if all undecided networks fail, the
    upper bound that if all of them hold. Fewer than six networks decide nothing.

    Args:
        networks: of how many the statement is said.
        runs: the verdicts of each network's runs, by a key of the network.
        confidence: of the intervals.

    Examples:
        >>> found = judge_networks("all", {"lenet": ["holds", "holds"], "nin": ["holds"], "vgg": ["undecided"]})
        >>> found.verdict, found.holding, found.undecided
        ('undecided', 2, 1)
        >>> judge_networks("most", {number: ["holds"] for number in range(6)}).verdict
        'holds'
    """
    measured = {network: {v for v in verdicts if v != "not measured"} for network, verdicts in runs.items()}
    verdicts = [next(iter(of_network)) if len(of_network) == 1 else "undecided"
                for of_network in measured.values() if of_network]  # fmt: skip
    count, holding, failing = len(verdicts), verdicts.count("holds"), verdicts.count("does not hold")
    if not count:
        return NetworksVerdict("not measured", 0, 0, 0, NOT_MEASURED)
    undecided = count - holding - failing
    share = share_interval([True] * holding + [False] * failing, unknown=undecided, confidence=confidence)
    verdict: Verdict
    if networks == "most":
        verdict = verdict_of(share._replace(estimate=0.5), ">", 0.5)  # of networks that are all undecided, too
    elif any("does not hold" in of_network for of_network in measured.values()):
        verdict = "does not hold"
    else:
        verdict = "holds" if holding == count >= MIN_SAMPLES else "undecided"
    return NetworksVerdict(verdict, holding, failing, undecided, share)
