"""Figure 4 of aghdam2017: do the distances among perturbed images survive in the features?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Gt, Interval, Lt

from advlab.errors import ConfigError
from advlab.lab import Cost, Figure, Frame, InRange, NetworkContext, Settings, frame_of
from advlab.lab.layers import probed_layers
from advlab.metrics.expected_mantel_r import expected_r
from advlab.statistics import Claim, judge, median_interval, share_interval

from .distance_claims import alpha_claims, depth_claims, neighbour_claims
from .spheres import (
    SphereExperiment,
    direction_cost,
    linearised_directions,
    refuse_low_precision,
    rows_by_reading,
    sweep_forwards,
)


@dataclass(frozen=True)
class TopologyRow:
    """One (sample, layer, reading, radius) and what maps the perturbed images."""

    sample: int  # index in the split
    label: int  # true class
    layer: str  # whose output is Phi_L; auto: the input of the classification layer
    depth: int  # of the layer among those measured, from 0
    pixels: int  # D, values of an image
    features: int  # R, numbers that the layer gives
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r, in those units
    trials: int  # T
    source: str  # network; linearisation: J(x) v; random map: a Gaussian linear map from D to R numbers; random layers (, relu)
    mantel_r: float  # Pearson r of the distances before and after; nan where they are not finite or all equal
    p_value: float  # of the permutation test, two-sided; of the network alone, else nan
    scale: float  # c = tr(alpha) / T, alpha = D_in^-1 D_out (eq 7)
    deviation: float  # ||alpha - c I|| / ||alpha||, Frobenius: 0 when the topology is preserved
    residual: float  # min_c ||D_out - c D_in|| / ||D_out||
    rounding: float = math.nan  # |r in float32 - r in float64|, at the smallest radius of the first samples; else nan
    nonfinite: int = 0  # perturbed images without finite features
    nearest_kept: float = math.nan  # share of T whose nearest neighbour stays the nearest; by chance 1 / (T - 1)


class Topology(SphereExperiment):
    """Figure 4: Mantel's correlation of the distances of T perturbed images and of their features (section 2.3, eq 7).

    Two controls stand beside the network. Its linearisation at x, J(x) v of the same v, says whether non-linearity
    matters at all. A random Gaussian linear map of the same dimensions says what a map that knows nothing keeps:
    sqrt(R / (R + 2 D)) in expectation. Low values of all three say that the dimensions are far apart, not that the
    network has done something to the topology. Where several layers are measured, a stack of random maps of their
    dimensions, one after the other, says what depth alone does: `random layers`, and with a ReLU after each map
    `random layers, relu`.
    """

    name: ClassVar[str] = "topology"
    paper: ClassVar[str] = "aghdam2017, figure 4"
    title: ClassVar[str] = "Mantel correlation of the distances of perturbed images and of their features"
    Row: ClassVar[type] = TopologyRow
    summary_keys: ClassVar[tuple[str, ...]] = ("layer", "norm", "pixel_scale", "direction", "source")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The test, the controls, and the thresholds of the claims, which were fixed before anything was measured."""

        squared: bool = False  # squared distances, as section 2.3 writes ||d|| = d d'
        test: Literal["permutation", "normal"] = "permutation"  # normal: by the exact moments of the permutations
        permutations: Annotated[int, Interval(ge=1, le=1_000_000)] = 999  # P; p = (1 + #{|r_perm| >= |r|}) / (1 + P)
        linearisation: bool = True  # measure this control: at most two forwards more a direction
        band: Annotated[float, Gt(0), Lt(1)] = 0.1  # "-0.1 < rho < 0.1"
        share: Annotated[float, Gt(0), Lt(1)] = 0.95  # "for all": more of the (sample, radius)
        random_layers: bool = True  # measure the stacks of random layers, if there are several layers
        #: "the closest point to A might be" another: share of nearest neighbours that stay nearest, below
        survivors: Annotated[float, Gt(0), Lt(1)] = 0.5
        #: alpha of eq 7 is not "diagonal with identical values": ||alpha - c I|| / ||alpha|| above
        off_diagonal: Annotated[float, Gt(0), Lt(1)] = 0.1
        #: "multiple affine transformations": rank correlation of depth and |r|, below
        falling: Annotated[float, Gt(-1), Lt(0)] = -0.5

    def check(self, settings: Settings) -> None:
        """Four directions at least, which have six distances, and float32.

        Raises:
            ConfigError: the probe is no sphere, has fewer directions, or the run is in bfloat16.
        """
        super().check(settings)
        refuse_low_precision(self.name, settings)
        if settings.probe.trials < 4:
            raise ConfigError(
                f"probe.trials: topology compares distances of at least 4 points, got {settings.probe.trials}"
            )

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The samples that qualify; and every layer must be there, before a run is begun."""
        return self.measurement().prepare(self, ctx)

    def cost(self, ctx: NetworkContext) -> Cost:
        """The sweep, the linearisation of all layers at once (at most two forwards a direction), and the check of float32."""
        probe, samples, layers = ctx.settings.probe, len(ctx.prepared["samples"]), len(probed_layers(ctx))
        products = 2 * linearised_directions(probe) * samples
        rounding = 2 * min(probe.floor_samples, samples) * len(probe.readings) * probe.trials * layers
        forwards, backwards = direction_cost(ctx)
        linear = products if self.params.linearisation else 0
        return Cost(forwards=sweep_forwards(ctx) + linear + rounding + forwards, backwards=backwards)

    def summary(self, table: Frame) -> Frame:
        """Median and quartiles of r, shares inside the band and significant, rounding, and the random map's expected r."""
        keys = ["run", "layer", "norm", "pixel_scale", "direction", "source"]
        lines = []
        for values, rows in table.groupby(keys, sort=False):
            key = dict(zip(keys, values, strict=True))
            r = rows["mantel_r"].dropna()
            tested = rows["p_value"].dropna()
            # the formula is about random directions of one length, which the L2 reading has
            has_formula = (key["norm"], key["direction"], key["source"]) == ("l2", "random", "random map")
            pixels, features = int(rows["pixels"].iloc[0]), int(rows["features"].iloc[0])
            lines.append(
                {
                    **key, "features": rows["features"].iloc[0], "median_r": r.median(),
                    "lower_quartile": r.quantile(0.25), "upper_quartile": r.quantile(0.75),
                    f"share_below_{self.params.band:g}": (r.abs() < self.params.band).mean(),
                    "share_p_below_.05": (tested < 0.05).mean() if len(tested) else math.nan,
                    "expected_r": expected_r(pixels, features) if has_formula else math.nan,
                    "largest_rounding": rows["rounding"].max(),
                    "median_deviation": rows["deviation"].median(), "median_residual": rows["residual"].median(),
                    "nearest_kept": rows["nearest_kept"].mean(),
                }
            )  # fmt: skip
        return frame_of(lines)

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section 2.3, and what the controls say of them, for each layer, reading and direction."""
        return [
            claim
            for name, rows in rows_by_reading(table)
            for claim in (
                *self._statements(rows, name),
                *neighbour_claims(rows, name, below=self.params.survivors),
                *alpha_claims(rows, name, above=self.params.off_diagonal),
            )
        ] + depth_claims(table, below=self.params.falling)

    def _statements(self, rows: Frame, subset: str) -> list[Claim]:
        params = self.params
        epsilon = float(rows["radius"].min())
        r_by_source = {
            source: of_source.set_index(["sample", "radius"])["mantel_r"]
            for source, of_source in rows.groupby("source")
        }
        network = r_by_source["network"].dropna()
        at_epsilon = network[network.index.get_level_values("radius") == epsilon]
        if epsilon >= 1:  # that is no epsilon: there is nothing to judge
            at_epsilon = at_epsilon.iloc[:0]
        nothing = network.iloc[:0]  # of a control that was not measured
        section = "section 2.3: "

        def share_in_band(source: str) -> Any:
            """Share of the radii with |r| inside the band, a sample."""
            if source not in r_by_source:
                return nothing
            return (r_by_source[source].dropna().abs() < params.band).groupby("sample").mean()

        def excess_of(control: str) -> Any:
            """Mean over the radii of |r| of a control less |r| of the network, a sample."""
            if control not in r_by_source:
                return nothing
            return (r_by_source[control].abs() - network.abs()).dropna().groupby("sample").mean()

        return [
            judge(
                "uncorrelated", share_interval(share_in_band("network")), ">", params.share, subset=subset, networks="all",
                statement=section + '"the Mantel score for all of ConvNets is -0.1 < rho < 0.1"',
                quantity=f"share of (sample, radius) with |r| < {params.band:g}",
            ),
            judge(
                "uncorrelated-at-epsilon", median_interval(at_epsilon.abs()), "<", params.band, subset=subset,
                statement=section + '"topology of point does not linearly change even when they are very close to x"',
                quantity=f"median |r| at radius {epsilon:g}",
            ),
            judge(
                "affine-suffices", share_interval(share_in_band("linearisation")), ">", params.share, subset=subset,
                statement=section + 'control: "a simple linear transformation ... changes the topology": the '
                "linearisation's r is in the same band",
                quantity=f"share of (sample, radius) with |r| of J(x) v < {params.band:g}",
            ),
            judge(
                "more-than-linear", median_interval(excess_of("linearisation")), ">", 0, subset=subset,
                statement=section + "control: the network's non-linearity loses topology that its linearisation keeps",
                quantity="median of |r| of J(x) v - |r| of the network",
            ),
            judge(
                "more-than-random", median_interval(excess_of("random map")), ">", 0, subset=subset,
                statement=section + "control: the network loses topology that a random linear map of its dimensions keeps",
                quantity="median of |r| of a random map - |r| of the network",
            ),
        ]  # fmt: skip

    def plot(self, table: Frame) -> Figure:
        """Mantel r against the radius, beside both controls; against depth when several layers were measured."""
        from .figures.topology import mantel_by_depth, mantel_by_radius

        return mantel_by_depth(table) if table["layer"].nunique() > 1 else mantel_by_radius(table, self.params.band)
