"""Section 2.1 of aghdam2017: what gradient and Hessian at an image say of the range of its score around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from advlab.errors import ConfigError
from advlab.lab import Cost, Figure, Frame, InRange, NetworkContext, Settings, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, rank_correlation

from .gradient_isotropy_row import GradientIsotropyRow
from .hessian_claims import judge_condition, widened_by_noise
from .spheres import SphereExperiment, refuse_layers, rows_by_reading, sweep_forwards

MEASURES = (  # columns of the table; the first is the paper's
    "dispersion", "relative_dispersion", "gradient_norm", "hessian_norm", "isotropic", "symmetric", "predicted",
)  # fmt: skip


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
    version: ClassVar[int] = 2  # 128 directions instead of 32
    Row: ClassVar[type] = GradientIsotropyRow
    summary_keys: ClassVar[tuple[str, ...]] = ("norm", "pixel_scale", "measure")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """How the Hessian is estimated, and the claims' threshold, which was fixed before anything was measured."""

        of: Literal["score", "logit"] = "score"  # s: the softmax score, as in the paper, or log(score / (1 - score))
        #: random signs z, for the products H z; two for a standard error. From D on, all unit vectors: norms are exact
        directions: Annotated[int, Ge(2)] = 128
        #: of central differences of the gradient, L2, pixels in [0, 1]; 0: exact products
        step: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
        #: "can be measured": rank correlation of measure and range, over samples, above
        correlation: Annotated[float, Gt(0), Lt(1)] = 0.5
        identical: Annotated[float, Gt(0), Lt(1)] = 0.1  # relative distances below: elements are identical, H is c I

    def check(self, settings: Settings) -> None:
        """Ranges must be those of scores over random directions.

        Raises:
            ConfigError: the probe takes others, or names a layer.
        """
        super().check(settings)
        if settings.probe.direction != "random":
            raise ConfigError(
                f"probe.direction: {self.name} is about all directions: leave {settings.probe.direction} out"
            )
        refuse_layers(self.name, settings)

    def cost(self, ctx: NetworkContext) -> Cost:
        """The sweep, and the gradient and the products H z of each sample."""
        forwards, backwards = self.derivative_cost(len(ctx.prepared["samples"]), ctx.values_per_image)
        return Cost(forwards=sweep_forwards(ctx) + forwards, backwards=backwards)

    def derivative_cost(self, samples: int, pixels: int) -> tuple[int, int]:
        """Forwards and backwards of the gradient, the products H z and the scale of the score, of so many samples of D values.

        A central difference takes two gradients; an exact product, a second derivative, counts as two backwards.
        """
        products = 2 * (min(self.params.directions, pixels) + 1)
        return samples * (2 + (products if self.params.step else 0)), samples * (1 + products)

    def correlations(self, table: Frame, radii: list[float] | None = None, resamples: int = 400) -> Frame:
        """Spearman's rank correlation over samples of each measure with the range, with 95 % intervals.

        Args:
            table: rows with a `run` column.
            radii: all when None.
            resamples: of the bootstrap.
        """
        keys = ["run", "norm", "pixel_scale", "radius"]
        chosen = table if radii is None else table[table["radius"].isin(radii)]
        lines = []
        for values, rows in chosen.groupby(keys, sort=False):
            for measure in MEASURES:
                interval = rank_correlation(rows[measure], rows["range"], resamples=resamples)
                lines.append({**dict(zip(keys, values, strict=True)), "measure": measure, **interval._asdict()})
        return frame_of(lines)

    def summary(self, table: Frame) -> Frame:
        """Each measure's median and its rank correlation with the range at epsilon, 1 and 10; and with the gradient's norm."""
        keys = ["run", "norm", "pixel_scale"]
        lines = []
        for values, rows in table.groupby(keys, sort=False):
            radii = radii_shown(rows)
            correlations = self.correlations(rows, radii, resamples=4000).set_index(["measure", "radius"])
            at_epsilon = rows[rows["radius"] == radii[0]]
            for measure in MEASURES:
                line = {
                    **dict(zip(keys, values, strict=True)),
                    "measure": measure,
                    "median": at_epsilon[measure].median(),
                    "median_error": at_epsilon.get(f"{measure}_error", at_epsilon[measure] * math.nan).median(),
                }
                for radius in radii:
                    rho = correlations.loc[(measure, radius)]
                    line |= {
                        f"rho_{radius:g}": rho["estimate"],
                        f"low_{radius:g}": rho["low"],
                        f"high_{radius:g}": rho["high"],
                    }
                with_norm = rank_correlation(at_epsilon[measure], at_epsilon["gradient_norm"], resamples=1)
                line["rho_gradient_norm"] = with_norm.estimate
                lines.append(line)
        return frame_of(lines)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 2.1 says of gradient and Hessian, for each reading of the radius."""
        return [
            claim
            for name, rows in rows_by_reading(table)
            for claim in (
                *self._statements(rows, name), *judge_condition(rows, identical=self.params.identical, subset=name)
            )
        ]  # fmt: skip

    def _statements(self, rows: Frame, subset: str) -> list[Claim]:
        threshold, epsilon = self.params.correlation, float(rows["radius"].min())

        def rho(measure: str, radius: float) -> Interval:
            """Rank correlation of a measure with the range at a radius."""
            at_radius = rows[rows["radius"] == radius]
            if not len(at_radius):
                return NOT_MEASURED
            correlation = rank_correlation(at_radius[measure], at_radius["range"])
            if f"{measure}_error" not in at_radius:
                return correlation
            return widened_by_noise(correlation, at_radius[measure], at_radius[f"{measure}_error"])

        def rho_at_epsilon(measure: str) -> Interval:
            """The same at the smallest radius; from 1 on that is no epsilon."""
            return rho(measure, epsilon) if epsilon < 1 else NOT_MEASURED

        def quantity(measure: str, radius: float) -> str:
            return f"rank correlation of {measure} and range({radius:g})"

        section = "section 2.1: "
        pairwise = section + '"isotropic property can be measured [...] by computing the pairwise difference between '
        pairwise += 'elements of" the gradient'
        flat = section + '"if [the score] is flat [...] both" the gradient and the Hessian "will be zero"'
        return [
            judge(
                "measured-at-epsilon", rho_at_epsilon("dispersion"), ">", threshold, subset=subset, statement=pairwise,
                quantity=quantity("dispersion", epsilon),
            ),
            judge(
                "not-promising-at-10", rho("dispersion", 10.0), "<", threshold, subset=subset,
                statement=section + '"However, results obtained by this way might not be promising": eq 3 is local',
                quantity=quantity("dispersion", 10),
            ),
            judge(
                "flat-gradient", rho_at_epsilon("gradient_norm"), ">", threshold, subset=subset, statement=flat,
                quantity=quantity("gradient norm", epsilon),
            ),
            judge(
                "flat-hessian", rho_at_epsilon("hessian_norm"), ">", threshold, subset=subset, statement=flat,
                quantity=quantity("Hessian norm", epsilon),
            ),
        ]  # fmt: skip

    def plot(self, table: Frame) -> Figure:
        """Range against each measure, and the rank correlations, at epsilon, 1 and 10."""
        from .figures.gradient_isotropy import ranges_against_measures

        radii = radii_shown(table)
        return ranges_against_measures(table, self.correlations(table, radii), radii=radii)


def radii_shown(table: Frame) -> list[float]:
    """Epsilon, 1 and 10, as far as they were measured."""
    radii = sorted(table["radius"].unique())
    return [r for r in radii if r in (radii[0], 1.0, 10.0)]
