"""Section 2.1 of aghdam2017: what gradient and Hessian at an image say of the range of its score around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.lab.experiment import Cell, Cost
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import NOT_MEASURED, Interval
from advlab.statistics.spearman import rank_correlation

from .spheres import SphereExperiment, images_and_labels, reading_name, sweep_forwards

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.geometry.hessian import HessianSpread
    from advlab.lab.context import Context

MEASURES = (  # columns of the table; the first is the paper's
    "dispersion", "relative_dispersion", "gradient_norm", "hessian_norm", "isotropic", "symmetric", "predicted",
)  # fmt: skip
BATCH = 64  # images whose graphs are kept at once, at most


@dataclass(frozen=True)
class GradientIsotropyRow:
    """One (sample, reading, radius); s is the score or its logit. Of the measures, only `predicted` depends on the radius."""

    sample: int  # index in the split
    label: int  # true class
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    radius: float  # r, in those units
    trials: int  # T
    of: str  # s: score (softmax probability of the true class) or logit (log(score / (1 - score)))
    range: float  # max - min of s over T
    clean_deficit: float  # 1 - score of the clean image
    dispersion: float  # mean |g_i - g_j| over the pairs of elements of the gradient of s; pixels in [0, 1]
    relative_dispersion: float  # that divided by the mean |g_i|; nan where the gradient is 0
    gradient_norm: float  # ||g||
    hessian_norm: float  # ||H||_F
    hessian_norm_error: float  # standard error of the estimate
    isotropic: float  # min_c ||H - c I||_F / ||H||_F; nan where H is 0
    isotropic_error: float  # standard error
    symmetric: float  # min_{a, b} ||H - a I - b 11'||_F / ||H||_F; nan where H is 0
    symmetric_error: float  # standard error
    predicted: float  # the range over T that eq 3 predicts
    nonfinite: int  # of T, left out of the range


class GradientIsotropy(SphereExperiment):
    """Does the gradient at an image tell how much its score differs between directions? (section 2.1, eqs 2 to 4).

    "A ConvNet is locally isotropic at x if elements of the gradient are identical and H is a diagonal matrix where the
    non-zero elements are equal." To second order (eq 3), isotropy needs a gradient of 0 and H = c I; identical elements
    and H = a I + b 11' are what symmetry needs. The paper's condition is sufficient for neither (the sum of the pixels
    meets it and is not isotropic; with x_1^3 added it is not symmetric either) and necessary for neither
    ((||x||^2 - R^2) x_1 is constant on the sphere of radius R; (sum of x)^2 is symmetric, and its H is not c I).

    So all three are measured: the dispersion of the gradient's elements, its norm, and the distance of H from both forms;
    and the range that eq 3 predicts. Over directions of length l, s has the variance l^2 ||g||^2 / D
    + l^4 ||H - c I||_F^2 / (2 D (D + 2)), and the mean range of T normal draws is a known multiple of its root. Ranges
    are those of `isotropy`, from the same sweep.
    """

    name: ClassVar[str] = "gradient_isotropy"
    paper: ClassVar[str] = "aghdam2017, section 2.1"
    title: ClassVar[str] = "Whether gradient and Hessian at an image tell the range of its score around it"
    Row: ClassVar[type] = GradientIsotropyRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """How the Hessian is estimated, and the claims' threshold, which was fixed before anything was measured."""

        of: Literal["score", "logit"] = "score"  # s: the softmax score, as in the paper, or log(score / (1 - score))
        directions: int = 32  # random signs z, for the products H z
        step: float = 0.0  # of central differences of the gradient, L2, pixels in [0, 1]; 0: exact products
        correlation: float = 0.5  # "can be measured": rank correlation of measure and range, over samples, above

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.directions < 2:
                raise ValueError(f"directions must be at least 2 (for standard errors), got {self.directions}")
            if not 0 <= self.step < math.inf:
                raise ValueError(f"step is a length, or 0 for exact products, got {self.step}")
            if not 0 < self.correlation < 1:
                raise ValueError(f"correlation is a threshold between 0 and 1, got {self.correlation}")

    def check(self, settings: Any) -> None:
        """Ranges must be those of scores over random directions.

        Raises:
            ConfigError: the probe takes others, or names a layer.
        """
        from advlab.errors import ConfigError

        super().check(settings)
        if settings.probe.direction != "random":
            raise ConfigError(
                f"probe.direction: {self.name} is about all directions: leave {settings.probe.direction} out"
            )
        if settings.probe.layer != ["auto"]:
            raise ConfigError(f"probe.layer: {self.name} reads scores, not the features of a layer: leave it out")

    def cost(self, ctx: Context) -> Cost:
        """The sweep, and the gradient and the products H z of each sample."""
        forwards, backwards = self._price(len(ctx.prepared["samples"]))
        return Cost(forwards=sweep_forwards(ctx) + forwards, backwards=backwards)

    def _price(self, samples: int) -> tuple[int, int]:
        """Two gradients a difference; a second derivative counts as two backwards. And a forward for the scale."""
        products = 2 * (self.params.directions + 1)
        return samples * (2 + (products if self.params.step else 0)), samples * (1 + products)

    def measure(self, ctx: Context, cell: Cell) -> list[GradientIsotropyRow]:
        """Ranges from the shared sweep, and the measures at each image."""
        import torch

        from advlab.geometry.taylor import euclidean, normal_range
        from advlab.lab.neighbourhood import scores

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        found = scores(ctx, samples)
        s = found.deficit if self.params.of == "score" else torch.logit(found.deficit)
        finite = torch.isfinite(s)
        counted = finite.sum(-1)
        ranges = torch.where(finite, s, -torch.inf).amax(-1) - torch.where(finite, s, torch.inf).amin(-1)
        spans = torch.where(counted > 0, ranges, torch.nan).tolist()
        x, labels = images_and_labels(ctx, samples)
        values, deviation = self._local(ctx, x, labels)
        size, multiple = math.prod(x.shape[1:]), normal_range(probe.trials)
        numbers, missing = {k: v.tolist() for k, v in values.items()}, (probe.trials - counted).tolist()
        true, clean = labels.tolist(), found.clean.tolist()
        rows = []
        for m, reading in enumerate(probe.readings):
            for k, radius in enumerate(probe.radii):
                length = euclidean(radius / reading.pixel_scale, reading.norm, size)
                predicted = (multiple * deviation(length)).tolist()
                rows += [
                    GradientIsotropyRow(
                        sample=sample, label=true[i], norm=reading.norm, pixel_scale=reading.pixel_scale, radius=radius,
                        trials=probe.trials, of=self.params.of, range=spans[m][i][k], clean_deficit=clean[i],
                        predicted=predicted[i], nonfinite=missing[m][i][k],
                        **{name: column[i] for name, column in numbers.items()},
                    )
                    for i, sample in enumerate(samples)
                ]  # fmt: skip
        return rows

    def _local(self, ctx: Context, x: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], Callable[[float], Tensor]]:
        """(n,) measures by name, and the standard deviation of s over directions of a length, (n,), by eq 3."""
        import torch

        from advlab.geometry.dispersion import mean_pairwise_difference
        from advlab.geometry.hessian import HessianSpread, hessian_spread, random_signs
        from advlab.geometry.scaled_score import scaled_score
        from advlab.geometry.taylor import deviation_on_sphere

        p, size = self.params, math.prod(x.shape[1:])
        signs = random_signs(p.directions, size, seed=ctx.settings.run.seed)

        def batches(limit: int) -> list[tuple[HessianSpread, Tensor]]:
            found, size = [], min(limit, BATCH)
            with torch.inference_mode(False):  # its tensors serve no gradients
                for part, y in zip(x.clone().split(size), labels.clone().split(size), strict=True):
                    function, scale = scaled_score(ctx.attack_target, part, y, p.of)
                    found.append((hessian_spread(function, part, signs, step=p.step), scale))
            return found

        parts = ctx.in_batches(batches, images=0)
        forwards, backwards = self._price(len(x))
        ctx.count(forwards=forwards, backwards=backwards)
        at = HessianSpread(*(torch.cat(tensors) for tensors in zip(*(spread for spread, _ in parts), strict=True)))
        scale = torch.cat([s for _, s in parts]).cpu()
        norm, dispersion = at.gradient.norm(dim=1), mean_pairwise_difference(at.gradient)
        rest = torch.where(at.norm > 0, at.isotropic * at.norm, 0.0)  # ||H - c I||_F

        def deviation(length: float) -> Tensor:
            return scale * deviation_on_sphere(norm, rest, size, length)

        return {
            "dispersion": scale * dispersion, "relative_dispersion": dispersion / at.gradient.abs().mean(1),
            "gradient_norm": scale * norm, "hessian_norm": scale * at.norm,
            "hessian_norm_error": scale * at.errors[:, 0], "isotropic": at.isotropic,
            "isotropic_error": at.errors[:, 2], "symmetric": at.symmetric, "symmetric_error": at.errors[:, 3],
        }, deviation  # fmt: skip

    def correlations(self, table: pd.DataFrame, radii: list[float] | None = None, resamples: int = 400) -> pd.DataFrame:
        """Spearman's rank correlation over samples of each measure with the range, with 95 % intervals.

        Args:
            table: rows with a `run` column.
            radii: all when None.
            resamples: of the bootstrap.
        """
        import pandas as pd

        keys = ["run", "norm", "pixel_scale", "radius"]
        chosen = table if radii is None else table[table["radius"].isin(radii)]
        rows = []
        for key, part in chosen.groupby(keys, sort=False):
            for measure in MEASURES:
                found = rank_correlation(part[measure], part["range"], resamples=resamples)
                rows.append({**dict(zip(keys, key, strict=True)), "measure": measure, **found._asdict()})
        return pd.DataFrame(rows, columns=[*keys, "measure", *Interval._fields])

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Each measure's median and its rank correlation with the range at epsilon, 1 and 10; and with the gradient's norm."""
        import pandas as pd

        rows = []
        keys = ["run", "norm", "pixel_scale"]
        for key, part in table.groupby(keys, sort=False):
            radii = shown(part)
            found = self.correlations(part, radii, resamples=4000).set_index(["measure", "radius"])
            at = part[part["radius"] == radii[0]]
            for measure in MEASURES:
                row = {**dict(zip(keys, key, strict=True)), "measure": measure, "median": at[measure].median()}
                for radius in radii:
                    rho = found.loc[(measure, radius)]
                    row |= {
                        f"rho_{radius:g}": rho["estimate"],
                        f"low_{radius:g}": rho["low"],
                        f"high_{radius:g}": rho["high"],
                    }
                row["rho_gradient_norm"] = rank_correlation(at[measure], at["gradient_norm"], resamples=1).estimate
                rows.append(row)
        return pd.DataFrame(rows)

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """What section 2.1 says of gradient and Hessian, for each reading of the radius."""
        claims = []
        for (norm, scale), part in table.groupby(["norm", "pixel_scale"], sort=False):
            claims += self._statements(part, reading_name(norm, scale, "random"))
        return claims

    def _statements(self, part: pd.DataFrame, subset: str) -> list[Claim]:
        threshold, epsilon = self.params.correlation, float(part["radius"].min())

        def rho(measure: str, radius: float, there: bool = True) -> Interval:
            rows = part[part["radius"] == radius]
            return rank_correlation(rows[measure], rows["range"]) if there and len(rows) else NOT_MEASURED

        def quantity(measure: str, radius: float) -> str:
            return f"rank correlation of {measure} and range({radius:g})"

        small, section = epsilon < 1, "section 2.1: "  # from 1 on it is no epsilon
        means = (
            section
            + '"isotropic property can be measured [...] by computing the pairwise difference between elements of" the gradient'
        )
        flat = section + '"if [the score] is flat [...] both" the gradient and the Hessian "will be zero"'
        return [
            judge(
                "measured-at-epsilon", rho("dispersion", epsilon, small), ">", threshold, subset=subset, statement=means,
                quantity=quantity("dispersion", epsilon),
            ),
            judge(
                "not-promising-at-10", rho("dispersion", 10.0), "<", threshold, subset=subset,
                statement=section + '"However, results obtained by this way might not be promising": eq 3 is local',
                quantity=quantity("dispersion", 10),
            ),
            judge(
                "flat-gradient", rho("gradient_norm", epsilon, small), ">", threshold, subset=subset, statement=flat,
                quantity=quantity("gradient norm", epsilon),
            ),
            judge(
                "flat-hessian", rho("hessian_norm", epsilon, small), ">", threshold, subset=subset, statement=flat,
                quantity=quantity("Hessian norm", epsilon),
            ),
        ]  # fmt: skip

    def plot(self, table: pd.DataFrame) -> Figure:
        """Range against each measure at epsilon, 1 and 10, and the rank correlations at every radius."""
        from .figures.gradient_isotropy import ranges_against_measures

        return ranges_against_measures(table, self.correlations(table), radii=shown(table))


def shown(table: pd.DataFrame) -> list[float]:
    """Epsilon, 1 and 10, as far as they were measured."""
    radii = sorted(table["radius"].unique())
    return [r for r in radii if r in (radii[0], 1.0, 10.0)]
