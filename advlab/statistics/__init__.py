"""How a paper's statement is checked: claims with verdicts, confidence intervals and rank correlation."""

from advlab.statistics.claims import Claim, Verdict, judge
from advlab.statistics.intervals import NOT_MEASURED, Interval, exact, mean_interval, median_interval, share_interval
from advlab.statistics.spearman import rank_correlation

__all__ = [
    "NOT_MEASURED",
    "Claim",
    "Interval",
    "Verdict",
    "exact",
    "judge",
    "mean_interval",
    "median_interval",
    "rank_correlation",
    "share_interval",
]
