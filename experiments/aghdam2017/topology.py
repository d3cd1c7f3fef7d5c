"""Figure 4 of aghdam2017: do the distances among perturbed images survive in the features?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.lab.experiment import Cell, Cost
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import mean_interval, median_interval

from .linearised import directions, linearised_distances, whole_units
from .spheres import (
    SphereExperiment,
    direction_cost,
    images_and_labels,
    reading_name,
    refuse_low_precision,
    sweep_forwards,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.lab.context import Context

NAN = math.nan


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
    source: str  # network; linearisation: J(x) v; random map: a Gaussian linear map from D to R numbers
    mantel_r: float  # Pearson r of the distances before and after; nan where they are not finite or all equal
    p_value: float  # of the permutation test, two-sided; of the network alone, else nan
    scale: float  # c = tr(alpha) / T, alpha = D_in^-1 D_out (eq 7)
    deviation: float  # ||alpha - c I|| / ||alpha||, Frobenius: 0 when the topology is preserved
    residual: float  # min_c ||D_out - c D_in|| / ||D_out||
    rounding: float  # |r in float32 - r in float64|, at the smallest radius of the first samples; else nan
    nonfinite: int  # perturbed images without finite features


class Topology(SphereExperiment):
    """Figure 4: Mantel's correlation of the distances of T perturbed images and of their features (section 2.3, eq 7).

    Two controls stand beside the network. Its linearisation at x, J(x) v of the same v, says whether non-linearity
    matters at all. A random Gaussian linear map of the same dimensions says what a map that knows nothing keeps:
    sqrt(R / (R + 2 D)) in expectation. Low values of all three say that the dimensions are far apart, not that the
    network has done something to the topology.
    """

    name: ClassVar[str] = "topology"
    paper: ClassVar[str] = "aghdam2017, figure 4"
    title: ClassVar[str] = "Mantel correlation of the distances of perturbed images and of their features"
    Row: ClassVar[type] = TopologyRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """The test, the controls, and the thresholds of the claims, which were fixed before anything was measured."""

        squared: bool = False  # squared distances, as section 2.3 writes ||d|| = d d'
        test: Literal["permutation", "normal"] = "permutation"  # normal: by the exact moments of the permutations
        permutations: int = 999  # P; p = (1 + #{|r_perm| >= |r|}) / (1 + P)
        linearisation: bool = True  # measure this control: at most two forwards more a direction
        band: float = 0.1  # "-0.1 < rho < 0.1"
        share: float = 0.95  # "for all": at least so many of the (sample, radius)

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if not 1 <= self.permutations <= 1_000_000:
                raise ValueError(f"permutations must be 1 to a million, got {self.permutations}")
            if not 0 < self.band < 1 or not 0 < self.share < 1:
                raise ValueError(f"band and share lie between 0 and 1, got {self.band} and {self.share}")

    def check(self, settings: Any) -> None:
        """Four directions at least, which have six distances, and float32.

        Raises:
            ConfigError: the probe is no sphere, has fewer directions, or the run is in bfloat16.
        """
        from advlab.errors import ConfigError

        super().check(settings)
        refuse_low_precision(self.name, settings)
        if settings.probe.trials < 4:
            raise ConfigError(
                f"probe.trials: topology compares distances of at least 4 points, got {settings.probe.trials}"
            )

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples that qualify; and every layer must be there, before a run is begun."""
        from advlab.lab.neighbourhood import check_layers

        check_layers(ctx)
        return super().prepare(ctx)

    def cost(self, ctx: Context) -> Cost:
        """The sweep, the linearisation of all layers at once (at most two forwards a direction), and the check of float32."""
        from advlab.lab.neighbourhood import resolve_layers

        probe, samples, layers = ctx.settings.probe, len(ctx.prepared["samples"]), len(resolve_layers(ctx))
        products = 2 * directions(ctx) * samples
        rounding = 2 * min(probe.floor_samples, samples) * len(probe.readings) * probe.trials * layers
        forwards, backwards = direction_cost(ctx)
        linear = products if self.params.linearisation else 0
        return Cost(forwards=sweep_forwards(ctx) + linear + rounding + forwards, backwards=backwards)

    def measure(self, ctx: Context, cell: Cell) -> list[TopologyRow]:
        """Distances from the shared sweep, those of the controls, and their correlations."""
        import torch

        from advlab.lab.neighbourhood import neighbourhood, resolve_layers
        from advlab.metrics.topology import AlphaSolver

        probe, p, samples = ctx.settings.probe, self.params, cell.payload["samples"]
        found, layers = neighbourhood(ctx, samples), resolve_layers(ctx)
        images, labels = images_and_labels(ctx, samples)
        true, pixels = labels.tolist(), images[0].numel()
        rounding = self._rounding(ctx, cell, layers)
        bad = (~torch.isfinite(found.moved)).sum(-1).tolist()
        inner = found.inner.flatten(0, 2)
        alpha = AlphaSolver(inner, squared=p.squared)
        linear = linearised_distances(ctx, samples, layers, found) if p.linearisation else []
        rows = []
        for depth, layer in enumerate(layers):
            outer = {"network": found.outer[depth]}
            if p.linearisation:
                outer["linearisation"] = linear[depth]
            outer["random map"] = self._randomly_mapped(ctx, samples, found, depth)
            numbers = {}
            for source, distances in outer.items():
                flat = distances.flatten(0, 2)
                r, significance = self._test(inner, flat, source)
                kept = alpha(flat)
                columns = torch.stack([r, significance, kept.c, kept.deviation, kept.residual], -1).cpu()
                numbers[source] = columns.view(*found.inner.shape[:3], -1).tolist()
            for s, sample in enumerate(samples):
                for m, reading in enumerate(probe.readings):
                    for k, radius in enumerate(probe.radii):
                        for source in outer:
                            r, significance, scale, deviation, residual = numbers[source][m][s][k]
                            own = source == "network"
                            rows.append(
                                TopologyRow(
                                    sample=sample, label=true[s], layer=layer, depth=depth, pixels=pixels,
                                    features=int(found.width[depth]),
                                    norm=reading.norm, pixel_scale=reading.pixel_scale, direction=probe.direction,
                                    radius=radius, trials=probe.trials, source=source, mantel_r=r, p_value=significance,
                                    scale=scale, deviation=deviation, residual=residual,
                                    rounding=rounding.get((s, m, depth), NAN) if own and k == 0 else NAN,
                                    nonfinite=bad[depth][m][s][k] if own else 0,
                                )
                            )  # fmt: skip
        return rows

    def _test(self, inner: Tensor, outer: Tensor, source: str) -> tuple[Tensor, Tensor]:
        """(units,) r and p; the controls are not tested."""
        import torch

        from advlab.metrics.mantel import mantel_r, mantel_test
        from advlab.metrics.mantel_moments import mantel_normal

        p = self.params
        if source != "network":
            r = mantel_r(inner, outer, squared=p.squared)
            return r, torch.full_like(r, torch.nan)
        if p.test == "normal":
            return mantel_normal(inner, outer, squared=p.squared)
        return mantel_test(inner, outer, permutations=p.permutations, squared=p.squared)

    def _randomly_mapped(self, ctx: Context, samples: list[int], found: Any, depth: int) -> Tensor:
        """(readings, samples, radii, pairs) distances after a Gaussian linear map, a new one each (sample, radius)."""
        import torch

        from advlab.metrics.distances import norms_and_distances
        from advlab.metrics.random_map import mapped_points

        readings, count, radii, _ = found.inner.shape
        seeds = [
            int.from_bytes(ctx.draws.digest(sample, k, depth, "/map")[:7], "little")
            for sample in samples
            for k in range(radii)
        ]
        points = mapped_points(
            found.inner.flatten(0, 2), found.length.flatten(0, 2), int(found.width[depth]), seeds * readings
        )
        return norms_and_distances(points.to(torch.float32))[1].view(readings, count, radii, -1)

    def _rounding(self, ctx: Context, cell: Cell, layers: list[str]) -> dict[tuple[int, int, int], float]:
        """(sample, reading, layer) -> |r in float32 - r in float64| at the smallest radius, for the run's first samples."""
        from advlab.metrics.distances import pairwise_distances
        from advlab.metrics.mantel import mantel_r
        from advlab.probes.sweep import sphere_batches

        probe, samples = ctx.settings.probe, cell.payload["samples"]
        count = max(0, min(probe.floor_samples - cell.payload["first"], len(samples)))
        assert ctx.forward is not None
        x = images_and_labels(ctx, samples[:count])[0]
        found: dict[tuple[int, int, int], float] = {}
        whole = whole_units(ctx)
        for batch in sphere_batches(x, samples[:count], probe, ctx.draws, whole, radii=[0]):
            inner = pairwise_distances(
                (batch.images - x[batch.first]).flatten(1)[None]
            )  # one sample: the batch is whole
            for depth, layer in enumerate(layers):  # one by one: all layers of T images may not fit
                taps = (ctx.forward.layer_features, ctx.forward.double_layer_features)
                r = [
                    float(mantel_r(inner, pairwise_distances(features[None]).to(inner), squared=self.params.squared))
                    for (features,) in (tap(batch.images, [layer])[1] for tap in taps)
                ]
                found[batch.first, batch.reading, depth] = abs(r[0] - r[1])
        return found

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Median and quartiles of r, shares inside the band and significant, rounding, and the random map's expected r."""
        import pandas as pd

        from advlab.metrics.random_map import expected_r

        rows = []
        keys = ["run", "layer", "norm", "pixel_scale", "direction", "source"]
        for key, part in table.groupby(keys, sort=False):
            r = part["mantel_r"].dropna()
            tested = part["p_value"].dropna()
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)), "features": part["features"].iloc[0], "median_r": r.median(),
                    "lower_quartile": r.quantile(0.25), "upper_quartile": r.quantile(0.75),
                    f"share_below_{self.params.band:g}": (r.abs() < self.params.band).mean(),
                    "share_p_below_.05": (tested < 0.05).mean() if len(tested) else NAN,
                    "expected_r": expected_r(int(part["pixels"].iloc[0]), int(part["features"].iloc[0]))
                    if (key[2], *key[4:]) == ("l2", "random", "random map")  # random directions of one length
                    else NAN,
                    "largest_rounding": part["rounding"].max(),
                    "median_deviation": part["deviation"].median(), "median_residual": part["residual"].median(),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The statements of section 2.3, and what the controls say of them, for each layer, reading and direction."""
        claims = []
        keys = ["layer", "norm", "pixel_scale", "direction"]
        for (layer, norm, scale, direction), part in table.groupby(keys, sort=False):
            where = "" if layer == "auto" else f", {layer}"
            claims += self._statements(part, reading_name(norm, scale, direction) + where)
        return claims

    def _statements(self, part: pd.DataFrame, subset: str) -> list[Claim]:
        p = self.params
        epsilon = float(part["radius"].min())
        by = {source: rows.set_index(["sample", "radius"])["mantel_r"] for source, rows in part.groupby("source")}
        network = by["network"].dropna()
        inside = (network.abs() < p.band).groupby("sample").mean()
        at_epsilon = network.index.get_level_values("radius") == (
            epsilon if epsilon < 1 else -1
        )  # from 1 on it is none
        closest = network[at_epsilon].abs()
        section = "section 2.3: "

        def against(source: str) -> Any:
            """Mean over radii of |r| of a control minus |r| of the network, a sample."""
            if source not in by:
                return network.iloc[:0]
            return (by[source].abs() - network.abs()).dropna().groupby("sample").mean()

        def alone(source: str) -> Any:
            return (by[source].dropna().abs() < p.band).groupby("sample").mean() if source in by else network.iloc[:0]

        return [
            judge(
                "uncorrelated", mean_interval(inside), ">", p.share, subset=subset, of_samples=True,
                statement=section + '"the Mantel score for all of ConvNets is -0.1 < rho < 0.1"',
                quantity=f"share of (sample, radius) with |r| < {p.band:g}",
            ),
            judge(
                "uncorrelated-at-epsilon", median_interval(closest), "<", p.band, subset=subset,
                statement=section + '"topology of point does not linearly change even when they are very close to x"',
                quantity=f"median |r| at radius {epsilon:g}",
            ),
            judge(
                "affine-suffices", mean_interval(alone("linearisation")), ">", p.share, subset=subset, of_samples=True,
                statement=section + 'control: "a simple linear transformation ... changes the topology": the '
                "linearisation's r is in the same band",
                quantity=f"share of (sample, radius) with |r| of J(x) v < {p.band:g}",
            ),
            judge(
                "more-than-linear", median_interval(against("linearisation")), ">", 0, subset=subset,
                statement=section + "control: the network's non-linearity loses topology that its linearisation keeps",
                quantity="median of |r| of J(x) v - |r| of the network",
            ),
            judge(
                "more-than-random", median_interval(against("random map")), ">", 0, subset=subset,
                statement=section + "control: the network loses topology that a random linear map of its dimensions keeps",
                quantity="median of |r| of a random map - |r| of the network",
            ),
        ]  # fmt: skip

    def plot(self, table: pd.DataFrame) -> Figure:
        """Mantel r against the radius, beside both controls; against depth when several layers were measured."""
        from .figures.topology import mantel_by_depth, mantel_by_radius

        return mantel_by_depth(table) if table["layer"].nunique() > 1 else mantel_by_radius(table, self.params.band)
