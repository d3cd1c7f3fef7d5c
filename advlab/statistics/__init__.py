"""How a paper's statement is checked: claims with verdicts, confidence intervals and rank correlation."""

from advlab.statistics.claims import Claim, Verdict, judge
from advlab.statistics.families import simultaneous
from advlab.statistics.intervals import (
    NOT_MEASURED,
    Interval,
    exact,
    lower_bound,
    median_interval,
    share_interval,
    upper_bound,
)
from advlab.statistics.means import mean_interval
from advlab.statistics.networks import judge_networks
from advlab.statistics.spearman import rank_correlation

__all__ = [
    "NOT_MEASURED",
    "Claim",
    "Interval",
    "Verdict",
    "exact",
    "judge",
    "judge_networks",
    "lower_bound",
    "mean_interval",
    "median_interval",
    "rank_correlation",
    "share_interval",
    "simultaneous",
    "upper_bound",
]
