"""Figure 6 of aghdam2017: do the features of a perturbed image move less than the image does?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cell, Cost, Figure, Frame, InRange, NetworkContext, Settings, Stage, frame_of
from advlab.lab.layers import probed_layers
from advlab.statistics import Claim, judge, lower_bound, share_interval

from .lipschitz_claims import elementwise_claims, score_claims
from .lipschitz_fits import fits, normalised_lengths
from .lipschitz_row import LipschitzRow
from .spheres import SphereExperiment, direction_cost, refuse_low_precision, rows_by_reading, sweep_forwards


class Lipschitz(SphereExperiment):
    """Figure 6: the local Lipschitz constant L_x of eq 9 over the perturbations of eq 4 (section 2.4).

    g and h are min-max normalisers with scalar parameters, taken over `images` images of the measured split, so that
    their offsets cancel: L = (||dPhi|| / range of Phi) / (||v|| / range of x). Its size depends on the ranges and on
    the dimensions of image and features, so the raw ratio ||dPhi|| / ||v|| is reported with it. What sampling shows is a
    lower bound: the largest singular value of the Jacobian at x is what the worst direction reaches as r -> 0, and the
    product of the layers' norms is above every ratio anywhere. Between these two lies the global constant, which is no less
    than what ascent of the singular value over the box of images reaches. g and h with a normaliser for each feature and
    each pixel are a second reading, which leaves out those that never change.
    """

    name: ClassVar[str] = "lipschitz"
    paper: ClassVar[str] = "aghdam2017, figure 6"
    title: ClassVar[str] = "How far features move against how far the perturbed image does"
    Row: ClassVar[type] = LipschitzRow
    summary_keys: ClassVar[tuple[str, ...]] = ("layer", "norm", "pixel_scale", "direction")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The normalisers and the thresholds of the claims, which were fixed before anything was measured."""

        images: Annotated[int, Ge(1)] = 5000  # "thousands of samples" whose pixels and features give the normalisers
        most: Annotated[float, Gt(0), Lt(1)] = 0.5  # "in most of the cases": share above
        #: relative residual at which the singular value counts as found
        tolerance: Annotated[float, Gt(0), Lt(1)] = 1e-3
        iterations: Annotated[int, Ge(1)] = 200  # at most
        elementwise: bool = True  # measure the reading with a normaliser for each element: a second sweep
        #: ascents of the Jacobian's norm from so many samples, where it is largest, and from as many random images; 0: none
        starts: Annotated[int, Ge(0)] = 8
        steps: Annotated[int, Ge(1)] = 60  # of each ascent
        #: "more likely that they have classification scores close": rank correlation above
        correlation: Annotated[float, Ge(0), Lt(1)] = 0.0

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """As the other spheres; `tiny` and `laptop` take fewer images for the normalisers and shorter ascents."""
        images, starts, steps = {"tiny": (100, 1, 3), "laptop": (1000, 4, 30)}.get(preset, (0, 0, 0))
        more = {"experiment.images": images, "experiment.starts": starts, "experiment.steps": steps} if images else {}
        return {**super().presets(preset, dataset, model), **more}

    def check(self, settings: Settings) -> None:
        """Features are compared in float32.

        Raises:
            ConfigError: the probe is no sphere, or the run is in bfloat16.
        """
        super().check(settings)
        refuse_low_precision(self.name, settings)

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The samples that qualify, and for each layer the normalisers and the global bound."""
        return self.measurement().prepare(self, ctx)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The ranges of all elements, and the ascents of each layer's Jacobian."""
        from .lipschitz_stages_measure import lipschitz_stages  # loads torch

        of = self.params
        return lipschitz_stages(ctx, elementwise=of.elementwise, images=of.images, starts=of.starts, steps=of.steps)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """Those of all spheres, each of which needs all stages."""
        needed = tuple(stage.id for stage in self.stages(ctx))
        return [replace(cell, stages=needed) for cell in super().cells(ctx)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """The sweeps, the normalisers, and some twenty products with each layer's Jacobian and its transpose."""
        forwards, backwards = direction_cost(ctx)
        products = 20 * len(ctx.prepared["samples"]) * len(probed_layers(ctx))
        normalisers = min(self.params.images, len(ctx.data))
        sweeps = sweep_forwards(ctx) * (2 if self.params.elementwise else 1)
        return Cost(forwards=sweeps + normalisers + products + forwards, backwards=products + backwards)

    def summary(self, table: Frame) -> Frame:
        """The ratios, raw and normalised, the first- and second-order fits of the figure, and both bounds."""
        keys = ["run", "layer", "norm", "pixel_scale", "direction"]
        lines = []
        for values, rows in table.groupby(keys, sort=False):
            normaliser = float(rows["normaliser"].iloc[0])
            line, parabola = fits(rows)
            counted = rows["trials"].sum() - rows["nonfinite"].sum()
            norms = rows.groupby("sample")["jacobian_norm"].first()
            lines.append(
                {
                    **dict(zip(keys, values, strict=True)), "normaliser": normaliser,
                    "mean_ratio": (rows["moved"] / rows["length"]).mean(),
                    "largest_ratio": rows["largest_ratio"].max(),
                    "share_below_1": rows["contracted"].sum() / counted,
                    "normalised_mean_ratio": (rows["moved"] / rows["length"]).mean() * normaliser,
                    "normalised_largest_ratio": rows["largest_ratio"].max() * normaliser,
                    "normalised_share_below_1": rows["contracted_normalised"].sum() / counted,
                    "elementwise_share_below_1": rows["contracted_elementwise"].sum(min_count=1) / counted,
                    "slope": line[0], "intercept": line[1], "curvature": parabola[0],
                    "median_jacobian_norm": norms.median(), "normalised_median_jacobian_norm": norms.median() * normaliser,
                    "ascended_norm": rows["ascended_norm"].iloc[0],
                    "normalised_ascended_norm": rows["ascended_norm"].iloc[0] * normaliser,
                    "global_bound": rows["global_bound"].iloc[0],
                    "normalised_global_bound": rows["global_bound"].iloc[0] * normaliser,
                }
            )  # fmt: skip
        return frame_of(lines)

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section 2.4, normalised and raw, what the Jacobian says of them, and those about scores."""
        return [
            claim
            for name, rows in rows_by_reading(table)
            for claim in (
                *self._statements(rows, name, "normalised", rows["normaliser"]),
                *self._statements(rows, name, "raw", 1.0),
                *elementwise_claims(rows, name, most=self.params.most),
                *score_claims(rows, name, above=self.params.correlation),
            )
        ]

    def _statements(self, rows: Frame, subset: str, kind: str, factor: Any) -> list[Claim]:
        """The statements about one kind of ratio: a raw one times `factor`."""
        most = self.params.most
        column = "contracted_normalised" if kind == "normalised" else "contracted"
        sums = rows.groupby("sample")[["trials", "nonfinite", column]].sum()
        below = sums[column] / (sums["trials"] - sums["nonfinite"])
        if kind == "normalised" and rows["normaliser"].isna().any():  # features that never change have none
            below = below.iloc[:0]
        largest = (rows["largest_ratio"] * factor).groupby(rows["sample"]).max().dropna()
        norms = rows.assign(norm_at_x=rows["jacobian_norm"] * factor, ascended=rows["ascended_norm"] * factor)
        norms = norms.groupby("sample").first()
        largest_norm = float(norms[["norm_at_x", "ascended"]].max().max())
        steepest = norms["norm_at_x"].dropna()
        # a value that has not converged is a lower bound: below 1 it does not tell
        unknown = (steepest < 1) & ~norms.loc[steepest.index, "jacobian_converged"].astype(bool)
        at_x = share_interval(steepest[~unknown] < 1, unknown=int(unknown.sum()))
        section = f"section 2.4, {kind}: "
        return [
            judge(
                f"contraction-{kind}", share_interval(below), ">", most, subset=subset, networks="all",
                statement=section + 'all "ConvNets in our study are in general locally contraction", "in most of the cases"',
                quantity=f"share of perturbed images with {kind} L < 1",
            ),
            judge(
                f"contraction-of-all-{kind}", share_interval(largest < 1), ">", most, subset=subset,
                statement=section + '"if L_x < 1 for all adversarial samples ... attracts": most samples do',
                quantity=f"share of samples whose largest {kind} L of the T directions drawn is < 1",
            ),
            judge(
                f"contraction-at-x-{kind}", at_x, ">", most, subset=subset,
                statement=section + '"locally contraction", in the worst direction: control, the limit of L_x for r -> 0',
                quantity=f"share of samples whose Jacobian's largest singular value, {kind}, is < 1",
            ),
            judge(
                f"global-above-1-{kind}", lower_bound(largest_norm), ">", 1, subset=subset,
                statement=f'abstract, {kind}: "global Lipschitz constant of a ConvNet might be greater than 1": it is no less than '
                "the Jacobian's norm anywhere, so that images can show it and never refute it",
                quantity=f"largest singular value of the Jacobian at any sample or image that ascent reached, {kind}",
            ),
        ]  # fmt: skip

    def plot(self, table: Frame) -> Figure:
        """How much longer the features of the deepest layer move than the image, against the radius."""
        from .figures.lipschitz import ratios

        deepest = table[table["depth"] == table.groupby("run")["depth"].transform("max")]
        return ratios(deepest.assign(image_length=normalised_lengths(deepest)[0]), fits)
