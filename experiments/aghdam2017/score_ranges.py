"""What figures 1 and 3 of aghdam2017 share: the range of the true class's score over the directions of one length."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import NOT_MEASURED, median_interval, share_interval

from .spheres import SphereExperiment, direction_cost, images_and_labels, reading_name, sweep_forwards

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.lab.context import Context
    from advlab.lab.neighbourhood import Scores
    from advlab.probes.sweep import Directions


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
    clean_deficit: float  # 1 - s of the clean image
    min_deficit: float  # smallest 1 - s over T
    max_deficit: float  # largest 1 - s over T
    misclassified: int  # of T
    nonfinite: int  # of T, left out of the numbers above
    noise_floor: float  # range over T of (s in float32 - s in float64); nan where it is not measured


class ScoreRanges(SphereExperiment):
    """Ranges of the true class's score, a row a (sample, reading, radius)."""

    Row: ClassVar[type] = ScoreRangeRow
    over: ClassVar[str]  # what the range is taken over, for the figure

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """Thresholds of the claims; the paper gives none, they were fixed before anything was measured."""

        floor_factor: float = 10.0  # "not isotropic at epsilon": median of range / the sample's noise floor above
        small: float = 0.01  # "does not significantly change": median range(epsilon) below
        more: float = 0.95  # "more non-isotropic at 1": share of samples with range(1) > range(epsilon)
        large: float = 0.1  # "very non-isotropic at 10": range(10) above

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.floor_factor <= 0 or self.small <= 0 or self.large <= 0:
                raise ValueError("floor_factor, small and large must be above 0")
            if not 0 < self.more < 1:
                raise ValueError(f"more is a share between 0 and 1, got {self.more}")

    @abstractmethod
    def directions(self, ctx: Context) -> Directions:
        """Where the perturbations come from."""

    @abstractmethod
    def scores(self, ctx: Context, samples: list[int]) -> Scores:
        """Scores of all perturbed images of some samples."""

    def floor_radii(self, probe: Any) -> list[int]:
        """Indices of the radii at which float32 is compared with float64."""
        return [0]

    def check(self, settings: Any) -> None:
        """A feature layer makes no sense here: scores are read, not features.

        Raises:
            ConfigError: `probe.layer` is set.
        """
        from advlab.errors import ConfigError

        super().check(settings)
        if settings.probe.layer != ["auto"]:
            raise ConfigError(f"probe.layer: {self.name} reads scores, not the features of a layer: leave it out")

    def cost(self, ctx: Context) -> Cost:
        """The sweep, and the forwards of the noise floor."""
        probe, count = ctx.settings.probe, len(ctx.prepared["samples"])
        floor = 2 * min(probe.floor_samples, count) * len(probe.readings) * len(self.floor_radii(probe)) * probe.trials
        forwards, backwards = direction_cost(ctx)
        return Cost(forwards=sweep_forwards(ctx) + floor + forwards, backwards=backwards)

    def measure(self, ctx: Context, cell: Cell) -> list[ScoreRangeRow]:
        """Scores of every perturbed image of the cell's samples, reduced to one row a sample, reading and radius."""
        import torch

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        found = self.scores(ctx, samples)
        x, labels = images_and_labels(ctx, samples)
        floors = self._noise_floors(ctx, cell, x, labels)
        finite = torch.isfinite(found.deficit)
        low = torch.where(finite, found.deficit, torch.inf).amin(-1)
        high = torch.where(finite, found.deficit, -torch.inf).amax(-1)
        counted = finite.sum(-1)
        mean = torch.where(finite, found.deficit, 0).sum(-1) / counted
        wrong = (finite & ~found.hit).sum(-1)
        numbers = torch.stack([low, high, mean, counted.double(), wrong.double()], -1).tolist()
        true, unperturbed = labels.tolist(), found.clean.tolist()
        rows = []
        for s, sample in enumerate(samples):
            for m, reading in enumerate(probe.readings):
                for k, radius in enumerate(probe.radii):
                    q_min, q_max, q_mean, count, missed = numbers[m][s][k]
                    if not count:
                        q_min = q_max = q_mean = math.nan
                    rows.append(
                        ScoreRangeRow(
                            sample=sample, label=true[s], norm=reading.norm, pixel_scale=reading.pixel_scale,
                            direction=probe.direction, radius=radius, trials=probe.trials, range=q_max - q_min,
                            mean_score=1 - q_mean, clean_deficit=unperturbed[s], min_deficit=q_min, max_deficit=q_max,
                            misclassified=int(missed), nonfinite=probe.trials - int(count),
                            noise_floor=floors.get((s, m, k), math.nan),
                        )
                    )  # fmt: skip
        return rows

    def _noise_floors(self, ctx: Context, cell: Cell, x: Tensor, labels: Tensor) -> dict[tuple[int, int, int], float]:
        """(sample, reading, radius) -> spurious range, for the first samples of the run."""
        import torch

        from advlab.metrics.error_probability import error_probability
        from advlab.probes.sweep import sphere_batches

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        count = max(0, min(probe.floor_samples - cell.payload["first"], len(samples)))
        radii = self.floor_radii(probe)
        assert ctx.forward is not None
        assert ctx.execution is not None
        errors: dict[tuple[int, int, int], list[Tensor]] = {}
        draws = self.directions(ctx)
        for batch in sphere_batches(x[:count], samples[:count], probe, draws, ctx.execution, radii=radii):
            units = [divmod(unit, len(radii)) for unit in range(batch.first, batch.first + batch.units)]
            target = labels[[sample for sample, _ in units]].repeat_interleave(len(batch.images) // batch.units)
            single, _ = error_probability(ctx.forward(batch.images), target)
            double, _ = error_probability(ctx.forward.double(batch.images), target.to(ctx.forward.double_device))
            error = (single.to(double.device) - double).view(batch.units, -1)
            for (sample, k), values in zip(units, error, strict=True):
                errors.setdefault((sample, batch.reading, radii[k]), []).append(values)
        floors = {}
        for key, pieces in errors.items():
            values = torch.cat(pieces)
            values = values[torch.isfinite(values)]  # whatever the batches were
            floors[key] = float(values.max() - values.min()) if len(values) else math.nan
        return floors

    @abstractmethod
    def statements(self, check: Statements) -> list[Claim]:
        """The paper's statements about one reading of the radius."""

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The paper's statements, for each reading of the radius and kind of directions."""
        claims = []
        for (norm, scale, direction), part in table.groupby(["norm", "pixel_scale", "direction"], sort=False):
            claims += self.statements(Statements(part, reading_name(norm, scale, direction), self.params))
        return claims

    def plot(self, table: pd.DataFrame) -> Figure:
        """Log range against radius, coloured by mean score, squares where one of T is misclassified."""
        from .figures.score_ranges import score_ranges

        return score_ranges(table, over=self.over)


class Statements:
    """Checks of what the paper says of ranges, on the rows of one reading of the radius.

    Args:
        part: rows of one run and reading.
        subset: its name in the claims.
        params: thresholds.
    """

    def __init__(self, part: pd.DataFrame, subset: str, params: ScoreRanges.Params) -> None:
        self.part, self.subset, self.params = part, subset, params
        self.epsilon = float(part["radius"].min())

    def above_floor(self, claim: str, radius: float, statement: str) -> Claim:
        """Ranges at `radius` are no rounding: above the sample's own noise floor, in the median.

        Sample by sample: rounding errors scale with 1 - p as ranges do, and 1 - p spans ten orders of magnitude between
        samples, so that no floor taken from some samples fits the others. Below 1e-12 a range is zero (float64).
        """
        floors = self.part[self.part["radius"] == radius].dropna(subset=["noise_floor"])
        ratios = floors["range"] / floors["noise_floor"].clip(lower=1e-12)
        return judge(
            claim, median_interval(ratios), ">", self.params.floor_factor, subset=self.subset, statement=statement,
            quantity=f"median of range(r = {radius:g}) / the sample's noise floor",
        )  # fmt: skip

    def small_at_epsilon(self, claim: str, statement: str) -> Claim:
        """Scores hardly change at epsilon."""
        smallest = self._ranges(self.epsilon if self.epsilon < 1 else -1)  # from 1 on it is no epsilon
        return judge(
            claim, median_interval(smallest), "<", self.params.small, subset=self.subset, statement=statement,
            quantity=f"median range(r = {self.epsilon:g})",
        )  # fmt: skip

    def more_at_1(self, statement: str) -> Claim:
        """Ranges at 1 are larger than at epsilon, sample by sample."""
        low, high = self._ranges(self.epsilon), self._ranges(1)
        both = low.index.intersection(high.index)
        rises = share_interval(high[both] > low[both]) if self.epsilon < 1 else NOT_MEASURED
        return judge(
            "more-at-1", rises, ">", self.params.more, subset=self.subset, statement=statement, of_samples=True,
            quantity=f"share of samples with range(1) > range({self.epsilon:g})",
        )  # fmt: skip

    def large_at_10(self, statement: str) -> list[Claim]:
        """Ranges at 10 are large: in the median, and for most samples."""
        ten, large = self._ranges(10), self.params.large
        return [
            judge(
                "very-at-10", median_interval(ten), ">", large, subset=self.subset, statement=statement,
                quantity="median range(10)",
            ),
            judge(
                "most-samples-at-10", share_interval(ten > large), ">", 0.5, subset=self.subset,
                statement=statement + ', of the samples: "most" is more than half',
                quantity=f"share of samples with range(10) > {large:g}",
            ),
        ]  # fmt: skip

    def _ranges(self, radius: float) -> pd.Series:
        """Range of each sample; empty where the radius was not measured."""
        return self.part[self.part["radius"] == radius].set_index("sample")["range"].dropna()
