"""What figures 1 and 3 of aghdam2017 share: the range of the true class's score over the directions of one length."""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Lt

from advlab.lab import Cost, Figure, Frame, InRange, NetworkContext, Settings
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, median_interval, share_interval
from advlab.statistics.intervals import at_any_confidence

from .spheres import SphereExperiment, direction_cost, refuse_layers, rows_by_reading, sweep_forwards


@dataclass(frozen=True)
class ScoreRangeRow:
    """One (sample, reading, radius)."""

    sample: int  # index in the split
    label: int  # true class
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r, in those units
    trials: int  # T
    range: float  # max - min of the score s over T; s is the softmax probability of the true class
    mean_score: float  # mean of s over T
    clean_error_probability: float  # 1 - s of the clean image
    min_error_probability: float  # smallest 1 - s over T
    max_error_probability: float  # largest 1 - s over T
    misclassified: int  # of T
    nonfinite: int  # of T, left out of the numbers above
    noise_floor: float = math.nan  # range over T of (s in float32 - s in float64); nan where it is not measured

    former_columns: ClassVar[dict[str, str]] = {
        "clean_deficit": "clean_error_probability",
        "min_deficit": "min_error_probability",
        "max_deficit": "max_error_probability",
    }


class ScoreRanges(SphereExperiment):
    """Ranges of the true class's score, a row a (sample, reading, radius)."""

    Row: ClassVar[type] = ScoreRangeRow
    over: ClassVar[str]  # what the range is taken over, for the figure
    permuted: ClassVar[bool]  # whether one direction of the probe is permuted, instead of T directions drawn

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Thresholds of the claims; the paper gives none, they were fixed before anything was measured."""

        #: "not isotropic at epsilon": median of range / the sample's noise floor above
        floor_factor: Annotated[float, Gt(0)] = 10.0
        small: Annotated[float, Gt(0)] = 0.01  # "does not significantly change": median range(epsilon) below
        #: "more non-isotropic at 1": share of samples with range(1) > range(epsilon)
        more: Annotated[float, Gt(0), Lt(1)] = 0.95
        large: Annotated[float, Gt(0)] = 0.1  # "very non-isotropic at 10": range(10) above

    def floor_radii(self, probe: Any) -> list[int]:
        """Indices of the radii at which float32 is compared with float64."""
        return [0]

    def check(self, settings: Settings) -> None:
        """A feature layer makes no sense here: scores are read, not features.

        Raises:
            ConfigError: `probe.layer` is set.
        """
        super().check(settings)
        refuse_layers(self.name, settings)

    def cost(self, ctx: NetworkContext) -> Cost:
        """The sweep, and the forwards of the noise floor."""
        probe, count = ctx.settings.probe, len(ctx.prepared["samples"])
        floor = 2 * min(probe.floor_samples, count) * len(probe.readings) * len(self.floor_radii(probe)) * probe.trials
        forwards, backwards = direction_cost(ctx)
        return Cost(forwards=sweep_forwards(ctx) + floor + forwards, backwards=backwards)

    @abstractmethod
    def statements(self, ranges: ReadingRanges) -> list[Claim]:
        """The paper's statements about one reading of the radius."""

    def claims(self, table: Frame) -> list[Claim]:
        """The paper's statements, for each reading of the radius and kind of directions."""
        return [
            claim
            for name, rows in rows_by_reading(table)
            for claim in self.statements(ReadingRanges(rows, name, self.params))
        ]

    def plot(self, table: Frame) -> Figure:
        """Log range against radius, coloured by mean score, squares where one of T is misclassified."""
        from .figures.score_ranges import score_ranges

        return score_ranges(table, over=self.over)


class ReadingRanges:
    """The ranges of one reading of the radius, judged by what the paper says of ranges.

    Args:
        rows: of one run and reading.
        subset: the reading's name in the claims.
        params: thresholds.
    """

    def __init__(self, rows: Frame, subset: str, params: ScoreRanges.Params) -> None:
        self.rows, self.subset, self.params = rows, subset, params
        self.epsilon = float(rows["radius"].min())

    def above_floor(self, claim: str, radius: float, statement: str) -> Claim:
        """Ranges at `radius` are no rounding: above the sample's own noise floor, in the median.

        Sample by sample: rounding errors scale with 1 - s as ranges do, and 1 - s spans ten orders of magnitude between
        samples, so that no floor taken from some samples fits the others. Of a sample whose 1 - s is below the least number
        of float64 nothing is known: the interval is that with its ratio on either side.
        """
        rows = self.rows[self.rows["radius"] == radius].dropna(subset=["noise_floor", "range"])
        resolved = rows["max_error_probability"] >= sys.float_info.min
        unknown = int((~resolved).sum())
        note = f"; of {unknown} of {len(rows)} samples 1 - s is below the resolution of float64" if unknown else ""
        return judge(
            claim, median_with_unknown(ratios_to_floors(rows[resolved]), unknown), ">", self.params.floor_factor,
            subset=self.subset, statement=statement, networks="all",
            quantity=f"median of range(r = {radius:g}) / the sample's noise floor{note}",
        )  # fmt: skip

    def small_at_epsilon(self, claim: str, statement: str) -> Claim:
        """Scores hardly change at epsilon."""
        smallest = self._ranges_at(self.epsilon)
        if self.epsilon >= 1:  # that is no epsilon: there is nothing to judge
            smallest = smallest.iloc[:0]
        return judge(
            claim, median_interval(smallest), "<", self.params.small, subset=self.subset, statement=statement,
            quantity=f"median range(r = {self.epsilon:g})", networks="all",
        )  # fmt: skip

    def more_at_1(self, statement: str) -> Claim:
        """Ranges at 1 are larger than at epsilon, sample by sample."""
        at_epsilon, at_1 = self._ranges_at(self.epsilon), self._ranges_at(1)
        samples = at_epsilon.index.intersection(at_1.index)
        rises = share_interval(at_1[samples] > at_epsilon[samples]) if self.epsilon < 1 else NOT_MEASURED
        return judge(
            "more-at-1", rises, ">", self.params.more, subset=self.subset, statement=statement, networks="all",
            quantity=f"share of samples with range(1) > range({self.epsilon:g})",
        )  # fmt: skip

    def large_at_10(self, statement: str) -> list[Claim]:
        """Ranges at 10 are large: in the median, and for most samples."""
        at_10, large = self._ranges_at(10), self.params.large
        return [
            judge(
                "very-at-10", median_interval(at_10), ">", large, subset=self.subset, statement=statement,
                quantity="median range(10)", networks="most",
            ),
            judge(
                "most-samples-at-10", share_interval(at_10 > large), ">", 0.5, subset=self.subset,
                statement=statement + ', of the samples: "most" is more than half',
                quantity=f"share of samples with range(10) > {large:g}", networks="most",
            ),
        ]  # fmt: skip

    def _ranges_at(self, radius: float) -> Any:
        """Range of each sample at a radius, a series by sample; empty where the radius was not measured."""
        return self.rows[self.rows["radius"] == radius].set_index("sample")["range"].dropna()


def ratios_to_floors(rows: Frame) -> list[float]:
    """(n,) ranges over their noise floors: where float32 adds nothing at all, infinite, or 0 of a range of 0."""
    return [
        value / floor if floor > 0 else (math.inf if value > 0 else 0.0)
        for value, floor in zip(rows["range"], rows["noise_floor"], strict=True)
    ]


def median_with_unknown(values: list[float], unknown: int) -> Interval:
    """The median of values, and of so many more that may be anything: each bound is that in the worst case.

    >>> median_with_unknown([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 1)[1:3]
    (-inf, inf)
    >>> median_with_unknown([1.0] * 30, 1)
    Interval(estimate=1.0, low=1.0, high=1.0, samples=31)
    """
    if not values:
        return NOT_MEASURED
    estimate, least, most = (median_interval([*values, *[end] * count]) for end, count in
                             ((0.0, 0), (-math.inf, unknown), (math.inf, unknown)))  # fmt: skip
    return at_any_confidence(
        lambda confidence: Interval(
            estimate.estimate, least.at(confidence).low, most.at(confidence).high, most.samples
        ),
        0.95,
    )
