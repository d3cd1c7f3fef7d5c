"""Figure 6 of aghdam2017: do the features of a perturbed image move less than the image does?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import exact, mean_interval, share_interval

from .spheres import (
    SphereExperiment,
    direction_cost,
    features_of,
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
class LipschitzRow:
    """One (sample, layer, reading, radius); lengths are Euclidean, of pixels in [0, 1] and of features."""

    sample: int  # index in the split
    label: int  # true class
    layer: str  # whose output is Phi_L; auto: the input of the classification layer
    depth: int  # of the layer among those measured, from 0
    features: int  # R, numbers that the layer gives
    norm: str  # l2 or linf: how the radius is read
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r, in those units
    trials: int  # T
    length: float  # mean ||v|| over T
    moved: float  # mean ||Phi_L(x + v) - Phi_L(x)|| over T
    least_ratio: float  # smallest ||Phi_L(x + v) - Phi_L(x)|| / ||v|| over T
    largest_ratio: float  # largest of T: L_x of eq 9, as far as these directions show it
    contracted: int  # of T whose ratio is below 1
    contracted_normalised: int  # of T whose ratio times `normaliser` is below 1
    normaliser: float  # (max - min of pixels) / (max - min of features): the ratio of g and h of eq 9
    pixel_range: float  # max - min of pixels alone
    jacobian_norm: float  # largest singular value of the Jacobian of Phi_L at x: the limit of L_x for r -> 0
    jacobian_converged: bool  # whether its iteration ended; a lower bound of it when not
    global_bound: float  # product of the layers' operator norms: no ratio anywhere is above it; nan where unknown
    nonfinite: int  # perturbed images without finite features, left out of the numbers above


class Lipschitz(SphereExperiment):
    """Figure 6: the local Lipschitz constant L_x of eq 9 over the perturbations of eq 4 (section 2.4).

    g and h are min-max normalisers with scalar parameters, taken over `images` images of the measured split, so that
    their offsets cancel: L = (||dPhi|| / range of Phi) / (||v|| / range of x). Its size depends on the ranges and on
    the dimensions of image and features, so the raw ratio ||dPhi|| / ||v|| is reported with it. What sampling shows is a
    lower bound: the largest singular value of the Jacobian at x is what the worst direction reaches as r -> 0, and the
    product of the layers' norms is above every ratio anywhere.
    """

    name: ClassVar[str] = "lipschitz"
    paper: ClassVar[str] = "aghdam2017, figure 6"
    title: ClassVar[str] = "How far features move against how far the perturbed image does"
    Row: ClassVar[type] = LipschitzRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """The normalisers and the thresholds of the claims, which were fixed before anything was measured."""

        images: int = 5000  # "thousands of samples" whose pixels and features give the normalisers
        most: float = 0.5  # "in most of the cases": share above
        tolerance: float = 1e-3  # relative residual at which the singular value counts as found
        iterations: int = 200  # at most

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.images < 1 or self.iterations < 1:
                raise ValueError(f"images and iterations must be at least 1, got {self.images} and {self.iterations}")
            if not 0 < self.most < 1 or not 0 < self.tolerance < 1:
                raise ValueError(f"most and tolerance lie between 0 and 1, got {self.most} and {self.tolerance}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """As the other spheres; `tiny` and `laptop` take fewer images for the normalisers."""
        more = {"tiny": {"experiment.images": 100}, "laptop": {"experiment.images": 1000}}.get(preset, {})
        return {**super().presets(preset, dataset, model), **more}

    def check(self, settings: Any) -> None:
        """Features are compared in float32.

        Raises:
            ConfigError: the probe is no sphere, or the run is in bfloat16.
        """
        super().check(settings)
        refuse_low_precision(self.name, settings)

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples that qualify, and for each layer the normalisers and the global bound."""
        from advlab.lab.neighbourhood import check_layers

        layers = check_layers(ctx)
        if ctx.settings.run.dry:
            return super().prepare(ctx)
        return {**super().prepare(ctx), "ranges": self._ranges(ctx, layers), "bounds": self._bounds(ctx, layers)}

    def _ranges(self, ctx: Context, layers: list[str]) -> list[float]:
        """max - min of the pixels, then of each layer's features, over the first images of the order."""
        import numpy as np
        import torch

        from advlab.models.classifier import frozen
        from advlab.probes.selection import order

        data, forward, classifier, run = ctx.data, ctx.forward, ctx.classifier, ctx.settings.run
        assert data is not None
        assert forward is not None
        assert classifier is not None
        assert ctx.execution is not None
        batch = ctx.execution.batch_size
        chosen = order(data, run.seed)[: self.params.images]

        def make() -> tuple[dict[str, Any], dict[str, Any]]:
            extremes: Tensor | None = None
            with frozen(classifier), torch.inference_mode():
                for start in range(0, len(chosen), batch):
                    x = data.images(torch.from_numpy(chosen[start : start + batch]))
                    spaces = [x, *forward.layer_features(x, layers)[1]]
                    found = torch.stack([torch.stack([space.amax(), -space.amin()]).double() for space in spaces])
                    extremes = found if extremes is None else torch.maximum(extremes, found)
                    ctx.report_progress("normalisers", min(start + batch, len(chosen)), len(chosen))
            assert extremes is not None
            return {"ranges": extremes.sum(1).cpu().numpy()}, {}

        key = {
            "version": 1, "weights": ctx.weights, "behaviour": classifier.behaviour, "data": data.digest,
            "order": f"{data.name}/{data.split}/{run.seed}", "count": len(chosen), "layers": layers,
            "precision": run.precision,
        }  # fmt: skip
        return list(np.asarray(ctx.artifacts.get("feature_ranges", key, make).arrays["ranges"], dtype=float))

    def _bounds(self, ctx: Context, layers: list[str]) -> list[float | None]:
        """The global bound of each layer; None, with the reason in the log, where the network cannot be followed."""
        import logging

        import numpy as np

        from advlab.geometry.operator_norm import Known, lipschitz_bound

        classifier = ctx.classifier
        assert classifier is not None
        bounds: list[float | None] = []
        known: Known = {}
        for layer in layers:

            def make(layer: str = layer) -> tuple[dict[str, Any], dict[str, Any]]:
                found = lipschitz_bound(classifier, layer, known=known)
                return {"bound": np.array([found.bound])}, {"reason": found.reason}

            key = {"version": 1, "weights": ctx.weights, "behaviour": classifier.behaviour, "layer": layer}
            found = ctx.artifacts.get("lipschitz_bound", key, make)  # minutes for networks of ImageNet's size
            if found.facts["reason"]:
                logging.getLogger(__name__).warning(
                    "no global Lipschitz bound of the layer %s: %s", layer, found.facts["reason"]
                )
            bound = float(found.arrays["bound"][0])
            bounds.append(None if math.isnan(bound) else bound)
        return bounds

    def cost(self, ctx: Context) -> Cost:
        """The sweep, the normalisers, and some twenty products with each layer's Jacobian and its transpose."""
        from advlab.lab.neighbourhood import resolve_layers

        assert ctx.data is not None
        forwards, backwards = direction_cost(ctx)
        products = 20 * len(ctx.prepared["samples"]) * len(resolve_layers(ctx))
        normalisers = min(self.params.images, len(ctx.data))
        return Cost(forwards=sweep_forwards(ctx) + normalisers + products + forwards, backwards=products + backwards)

    def measure(self, ctx: Context, cell: Cell) -> list[LipschitzRow]:
        """Ratios from the shared sweep, and the Jacobian's norm at each image."""
        import torch

        from advlab.lab.neighbourhood import neighbourhood, resolve_layers

        probe, samples, classifier = ctx.settings.probe, cell.payload["samples"], ctx.classifier
        assert classifier is not None
        found, layers = neighbourhood(ctx, samples), resolve_layers(ctx)
        x, labels = images_and_labels(ctx, samples)
        pixels, *ranges = ctx.prepared["ranges"]
        rows = []
        for depth, layer in enumerate(layers):
            phi = partial(features_of, classifier, layer)
            singular = ctx.in_batches(
                partial(self._jacobian_norms, phi, x), images=0
            )  # the run's batches were measured without graphs: they are halved until this fits as well
            ctx.count(forwards=len(x) * (1 + singular.iterations), backwards=len(x) * singular.iterations)
            normaliser = pixels / ranges[depth] if ranges[depth] > 0 else NAN
            bound = ctx.prepared["bounds"][depth]
            moved, length = found.moved[depth].double(), found.length.double()
            ratio = moved / length
            finite = torch.isfinite(ratio)
            counted = finite.sum(-1)
            numbers = torch.stack(
                [
                    torch.where(finite, length, 0).sum(-1) / counted,
                    torch.where(finite, moved, 0).sum(-1) / counted,
                    torch.where(finite, ratio, torch.inf).amin(-1),
                    torch.where(finite, ratio, -torch.inf).amax(-1),
                    (finite & (ratio < 1)).sum(-1),
                    (finite & (ratio * normaliser < 1)).sum(-1),
                    counted,
                ],
                -1,
            ).tolist()
            true, norms, converged = labels.tolist(), singular.value.tolist(), singular.converged.tolist()
            for s, sample in enumerate(samples):
                for m, reading in enumerate(probe.readings):
                    for k, radius in enumerate(probe.radii):
                        mean_length, mean_moved, least, largest, raw, normalised, count = numbers[m][s][k]
                        rows.append(
                            LipschitzRow(
                                sample=sample, label=true[s], layer=layer, depth=depth, features=int(found.width[depth]),
                                norm=reading.norm, pixel_scale=reading.pixel_scale, direction=probe.direction, radius=radius,
                                trials=probe.trials, length=mean_length, moved=mean_moved,
                                least_ratio=least if count else NAN, largest_ratio=largest if count else NAN,
                                contracted=int(raw), contracted_normalised=int(normalised), normaliser=normaliser,
                                pixel_range=pixels,
                                jacobian_norm=norms[s], jacobian_converged=converged[s],
                                global_bound=NAN if bound is None else bound, nonfinite=probe.trials - int(count),
                            )
                        )  # fmt: skip
        return rows

    def _jacobian_norms(self, phi: Any, x: Tensor, batch: int) -> Any:
        from advlab.geometry.jacobian import spectral_norm

        return spectral_norm(phi, x, tol=self.params.tolerance, max_iter=self.params.iterations, batch_size=batch)

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """The ratios, raw and normalised, the first- and second-order fits of the figure, and both bounds."""
        import pandas as pd

        from .figures.lipschitz import fits

        rows = []
        keys = ["run", "layer", "norm", "pixel_scale", "direction"]
        for key, part in table.groupby(keys, sort=False):
            normaliser = float(part["normaliser"].iloc[0])
            line, parabola = fits(part)
            counted = part["trials"].sum() - part["nonfinite"].sum()
            norms = part.groupby("sample")["jacobian_norm"].first()
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)), "normaliser": normaliser,
                    "mean_ratio": (part["moved"] / part["length"]).mean(),
                    "largest_ratio": part["largest_ratio"].max(),
                    "share_below_1": part["contracted"].sum() / counted,
                    "normalised_mean_ratio": (part["moved"] / part["length"]).mean() * normaliser,
                    "normalised_largest_ratio": part["largest_ratio"].max() * normaliser,
                    "normalised_share_below_1": part["contracted_normalised"].sum() / counted,
                    "slope": line[0], "intercept": line[1], "curvature": parabola[0],
                    "median_jacobian_norm": norms.median(), "normalised_median_jacobian_norm": norms.median() * normaliser,
                    "global_bound": part["global_bound"].iloc[0],
                    "normalised_global_bound": part["global_bound"].iloc[0] * normaliser,
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The statements of section 2.4, normalised and raw, and what the Jacobian says of them."""
        claims = []
        keys = ["layer", "norm", "pixel_scale", "direction"]
        for (layer, norm, scale, direction), part in table.groupby(keys, sort=False):
            where = "" if layer == "auto" else f", {layer}"
            subset = reading_name(norm, scale, direction) + where
            for kind, factor in (("normalised", part["normaliser"]), ("raw", 1.0)):
                claims += self._statements(part, subset, kind, factor)
        return claims

    def _statements(self, part: pd.DataFrame, subset: str, kind: str, factor: Any) -> list[Claim]:
        most = self.params.most
        column = "contracted_normalised" if kind == "normalised" else "contracted"
        sums = part.groupby("sample")[["trials", "nonfinite", column]].sum()
        below = sums[column] / (sums["trials"] - sums["nonfinite"])
        if kind == "normalised" and part["normaliser"].isna().any():  # features that never change have none
            below = below.iloc[:0]
        largest = (part["largest_ratio"] * factor).groupby(part["sample"]).max().dropna()
        norms = part.assign(norm_at_x=part["jacobian_norm"] * factor).groupby("sample").first()
        # below 1, a value that has not converged shows nothing: it is a lower bound
        steepest = norms.loc[norms["jacobian_converged"] | (norms["norm_at_x"] >= 1), "norm_at_x"].dropna()
        section = f"section 2.4, {kind}: "
        return [
            judge(
                f"contraction-{kind}", mean_interval(below), ">", most, subset=subset,
                statement=section + '"the Lipschitz constant is less than 1 in most of the cases"',
                quantity=f"share of perturbed images with {kind} L < 1",
            ),
            judge(
                f"contraction-of-all-{kind}", share_interval(largest < 1), ">", most, subset=subset,
                statement=section + '"if L_x < 1 for all adversarial samples ... attracts": most samples do',
                quantity=f"share of samples whose largest {kind} L is < 1",
            ),
            judge(
                f"contraction-at-x-{kind}", share_interval(steepest < 1), ">", most, subset=subset,
                statement=section + '"locally contraction", in the worst direction: control, the limit of L_x for r -> 0',
                quantity=f"share of samples whose Jacobian's largest singular value, {kind}, is < 1",
            ),
            judge(
                f"global-above-1-{kind}", exact(float(norms["norm_at_x"].max())), ">", 1, subset=subset,
                statement=section + '"the global Lipschitz constant of a ConvNet might be greater than 1": it is no less than '
                "the Jacobian's norm anywhere",
                quantity=f"largest singular value of the Jacobian at any sample, {kind}",
            ),
        ]  # fmt: skip

    def plot(self, table: pd.DataFrame) -> Figure:
        """How far features move against how far the image does, with both fits, and L_x against the radius."""
        from .figures.lipschitz import movements

        return movements(table)
