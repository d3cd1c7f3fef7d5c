"""Figure 1 of aghdam2017: the range of the true class's score over random directions of equal length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.claims import Claim, judge
from advlab.experiment import Cell, Cost, Experiment
from advlab.metrics.intervals import Interval, median_interval, share_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.context import Context

CELL_VALUES = 1 << 24  # perturbed pixel values a cell, about: a second of a small network, a minute of a large one


@dataclass(frozen=True)
class IsotropyRow:
    """One (sample, reading, radius)."""

    sample: int  # index in the split
    label: int  # true class
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
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


class Isotropy(Experiment):
    """Figure 1: is the score the same in all directions at one distance from the image? (section 2.1, eq 4)."""

    name: ClassVar[str] = "isotropy"
    paper: ClassVar[str] = "aghdam2017, figure 1"
    title: ClassVar[str] = "Range of the true class's score over random perturbations of equal norm"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")
    Row: ClassVar[type] = IsotropyRow

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

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 30 samples, 10 from 200 pixels on; `tiny`: 3. Radii and T stay: the range grows with T."""
        shape = dataset.shape(model.shape) if hasattr(model, "shape") else (3, 224, 224)
        return {
            "tiny": {"probe.samples": 3},
            "laptop": {"probe.samples": 10 if max(shape[1:]) >= 200 else 30},
        }.get(preset, {})

    def check(self, settings: Any) -> None:
        """A feature layer makes no sense here: scores are read, not features.

        Raises:
            ConfigError: `probe.layer` is set.
        """
        from advlab.errors import ConfigError

        if getattr(settings.probe, "radii", None) is None:
            raise ConfigError(
                f"isotropy needs a probe of spheres: type probe=sphere, not {settings.nodes['probe']['name']}"
            )
        if settings.probe.layer != "auto":
            raise ConfigError("probe.layer: isotropy reads scores, not the features of a layer: leave it out")

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples that qualify."""
        return {"samples": ctx.qualified()}

    def cells(self, ctx: Context) -> list[Cell]:
        """Some samples a cell, as many as make a fixed amount of work."""
        probe, samples = ctx.settings.probe, ctx.prepared["samples"]
        assert ctx.data is not None
        work = len(probe.readings) * len(probe.radii) * probe.trials * math.prod(ctx.data.shape)
        size = max(1, CELL_VALUES // work)
        starts = range(0, len(samples), size)
        return [Cell(f"samples-{i:05d}", {"first": i, "samples": samples[i : i + size]}) for i in starts]

    def cost(self, ctx: Context) -> Cost:
        """Readings x radii x T forwards a sample, its clean image, and those of the noise floor."""
        probe, count = ctx.settings.probe, len(ctx.prepared["samples"])
        floor = 2 * min(probe.floor_samples, count) * len(probe.readings) * probe.trials
        return Cost(forwards=count * (len(probe.readings) * len(probe.radii) * probe.trials + 1) + floor)

    def measure(self, ctx: Context, cell: Cell) -> list[IsotropyRow]:
        """Scores of every perturbed image of the cell's samples, reduced to one row a sample, reading and radius."""
        import torch

        from advlab.numerics import complement
        from advlab.probes.sweep import sphere_batches

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        data, forward, execution = ctx.data, ctx.forward, ctx.execution
        assert data is not None
        assert forward is not None
        assert execution is not None
        index = torch.tensor(samples)
        x, labels = data.images(index), data.labels[index.to(data.device)]
        clean, _ = complement(forward(x), labels)
        radii, readings, trials = len(probe.radii), probe.readings, probe.trials
        units = len(samples) * radii
        logits: Tensor | None = None
        for batch in sphere_batches(x, samples, probe, ctx.draws, execution):
            out = forward(batch.images).view(batch.units, -1, forward.classifier.classes)
            if logits is None:
                logits = out.new_empty(len(readings), units, trials, out.shape[-1])
            stop = batch.start + out.shape[1]
            logits[batch.reading, batch.first : batch.first + batch.units, batch.start : stop] = out
        assert logits is not None
        deficit, hit = complement(logits, labels.repeat_interleave(radii)[:, None])
        floors = self._noise_floors(ctx, cell, x, labels)
        rows = []
        finite = torch.isfinite(deficit)
        low = torch.where(finite, deficit, torch.inf).amin(-1)
        high = torch.where(finite, deficit, -torch.inf).amax(-1)
        counted = finite.sum(-1)
        mean = torch.where(finite, deficit, 0).sum(-1) / counted
        wrong = (finite & ~hit).sum(-1)
        numbers = torch.stack([low, high, mean, counted.double(), wrong.double()]).cpu().numpy()
        true, unperturbed = labels.tolist(), clean.tolist()  # once: each look at a tensor waits for the device
        for s, sample in enumerate(samples):
            for m, reading in enumerate(readings):
                for k, radius in enumerate(probe.radii):
                    q_min, q_max, q_mean, count, missed = (float(v) for v in numbers[:, m, s * radii + k])
                    if not count:
                        q_min = q_max = q_mean = math.nan
                    rows.append(
                        IsotropyRow(
                            sample=sample, label=true[s], norm=reading.norm, pixel_scale=reading.pixel_scale,
                            radius=radius, trials=trials, range=q_max - q_min, mean_score=1 - q_mean,
                            clean_deficit=unperturbed[s], min_deficit=q_min, max_deficit=q_max,
                            misclassified=int(missed), nonfinite=trials - int(count),
                            noise_floor=floors.get((s, m), math.nan) if k == 0 else math.nan,
                        )
                    )  # fmt: skip
        return rows

    def _noise_floors(self, ctx: Context, cell: Cell, x: Tensor, labels: Tensor) -> dict[tuple[int, int], float]:
        """(sample, reading) -> spurious range at the smallest radius, for the first samples of the run."""
        from advlab.numerics import complement
        from advlab.probes.sweep import sphere_batches

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        count = max(0, min(probe.floor_samples - cell.payload["first"], len(samples)))
        assert ctx.forward is not None
        assert ctx.execution is not None
        errors: dict[tuple[int, int], list[Tensor]] = {}
        for batch in sphere_batches(x[:count], samples[:count], probe, ctx.draws, ctx.execution, radii=[0]):
            trials = len(batch.images) // batch.units
            target = labels[batch.first : batch.first + batch.units].repeat_interleave(trials)
            single, _ = complement(ctx.forward(batch.images), target)
            double, _ = complement(ctx.forward.double(batch.images), target.to(ctx.forward.double_device))
            error = (single.to(double.device) - double).view(batch.units, trials)
            for unit, values in enumerate(error):
                errors.setdefault((batch.first + unit, batch.reading), []).append(values)
        floors = {}
        for key, pieces in errors.items():
            highest = max(float(piece.max()) for piece in pieces)
            floors[key] = highest - min(float(piece.min()) for piece in pieces)
        return floors

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The four statements of section 2.1 about figure 1, for each reading of the radius."""
        claims = []
        for (norm, scale), part in table.groupby(["norm", "pixel_scale"], sort=False):
            claims += self._reading_claims(part, f"{norm}, 0..{scale:g}")
        return claims

    def _reading_claims(self, part: pd.DataFrame, subset: str) -> list[Claim]:
        p = self.params
        epsilon = float(part["radius"].min())
        at = {r: rows.set_index("sample")["range"] for r, rows in part.groupby("radius")}
        nothing = Interval(math.nan, math.nan, math.nan, 0)
        smallest = at[epsilon].dropna() if epsilon < 1 else at[epsilon].iloc[:0]  # from 1 on it is no epsilon
        # sample by sample: rounding errors scale with 1 - p as ranges do, and 1 - p spans ten orders of magnitude between
        # samples, so that no floor taken from some samples fits the others. Below 1e-12 a range is zero (float64)
        floors = part.dropna(subset=["noise_floor"])
        ratios = floors["range"] / floors["noise_floor"].clip(lower=1e-12)
        one, ten = at.get(1.0), at.get(10.0)
        rises = (one > at[epsilon])[one.notna() & at[epsilon].notna()] if one is not None and epsilon < 1 else None
        where = f"r = {epsilon:g}"
        section = "section 2.1: "
        return [
            judge(
                "anisotropic-at-epsilon", median_interval(ratios), ">", p.floor_factor, subset=subset,
                statement=section + '"none of the ConvNets are perfectly isotropic even at distance epsilon"',
                quantity=f"median of range({where}) / the sample's noise floor",
            ),
            judge(
                "small-at-epsilon", median_interval(smallest), "<", p.small, subset=subset,
                statement=section + '"their score does not significantly change at distance epsilon"',
                quantity=f"median range({where})",
            ),
            judge(
                "more-at-1", nothing if rises is None else share_interval(rises), ">", p.more, subset=subset,
                statement=section + '"by increasing the radius to 1 pixel, all ConvNets become more non-isotropic"',
                of_samples=True,
                quantity=f"share of samples with range(1) > range({epsilon:g})",
            ),
            judge(
                "very-at-10", nothing if ten is None else median_interval(ten), ">", p.large, subset=subset,
                statement=section + '"most of ConvNets become very non-isotropic at distance 10 pixels"',
                quantity="median range(10)",
            ),
            judge(
                "most-samples-at-10", nothing if ten is None else share_interval(ten.dropna() > p.large), ">", 0.5,
                subset=subset, statement=section + 'as above, of the samples: "most" is more than half',
                quantity=f"share of samples with range(10) > {p.large:g}",
            ),
        ]  # fmt: skip

    def plot(self, table: pd.DataFrame) -> Figure:
        """Log range against radius, coloured by mean score, squares where one of T is misclassified."""
        from advlab.plotting.spheres import score_ranges

        return score_ranges(table)
