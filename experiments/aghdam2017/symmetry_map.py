"""Figure 2 of aghdam2017: the score on the plane of a perturbation and a permutation of it, one of which loses the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import exact, median_interval, share_interval

from .permuted_pair import first_pair, perturbation, rms
from .spheres import SphereExperiment, direction_cost, images_and_labels, reading_name, sweep_forwards

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.lab.context import Context


@dataclass(frozen=True)
class SymmetryMapRow:
    """A point of the map, one of the three marked images, or the permutations of one (sample, reading, radius)."""

    kind: str  # grid, mark or sphere
    name: str  # of a mark: clean, kept (v1) or lost (v2)
    sample: int  # index in the split
    label: int  # true class
    label_name: str  # its name
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r of v1 and v2, in those units
    rms: float  # root mean square of v1, in grey levels (0..255); nan for the grid
    a: float  # place in the map: coordinate along u1, L2, pixels in [0, 1]; nan for a sphere
    b: float  # along u2
    score: float  # softmax probability of the true class; its mean over the trials of a sphere
    deficit: float  # 1 - score, to the last digit
    margin: float  # logit of the true class minus the largest other; nan for a sphere
    prediction: int  # class; -1 for a sphere
    prediction_name: str  # its name
    trials: int  # scores behind the row: T permutations of a sphere, else 1
    above: int  # of them, above the clean image's score
    misclassified: int  # of them
    nonfinite: int  # of them, left out
    channels: int  # shape of a mark's image, else 0
    height: int  # of it
    width: int  # of it
    pixels: str  # of a mark: grey levels cut to 0..255 and rounded, base64; the network saw them as they were


class SymmetryMap(SphereExperiment):
    """Figure 2: two orders of one perturbation's elements, of which one keeps the class and the other loses it.

    Among the first `candidates` samples the pair of the smallest radius is taken: of one (sample, radius) of eq 6, the
    permutation with the highest score that keeps the class (v1), and the one with the lowest that loses it (v2). The
    map spans x + a u1 + b u2 with u1 = v1 / ||v1|| and u2 the part of v2 orthogonal to it, of length 1. Besides, for all
    samples, readings and radii: how many of the T permutations score above the clean image.
    """

    name: ClassVar[str] = "symmetry_map"
    paper: ClassVar[str] = "aghdam2017, figure 2"
    title: ClassVar[str] = "The score on the plane of a perturbation and a permutation of it"
    Row: ClassVar[type] = SymmetryMapRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """The map and the search for it; thresholds fixed before anything was measured, the paper gives none."""

        grid: int = 61  # points a side, odd: the clean image is one of them
        extent: float = 1.5  # half a side, in lengths of v1
        candidates: int = 20  # samples among which the pair is searched
        reading: int = 0  # of the radius, for the map: place in probe.norm and probe.pixel_scale
        maximal: float = 0.01  # "Phi(x) is maximum given the clean image": share of scores above it below
        visible: float = 8.0  # "not perceivable": root mean square of the perturbation below, in grey levels

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field and the range.
            """
            if not 3 <= self.grid <= 1001 or self.grid % 2 == 0:
                raise ValueError(f"grid must be odd and 3 to 1001, got {self.grid}")
            if self.extent <= 1:
                raise ValueError(f"extent must be above 1, or v1 and v2 lie outside, got {self.extent}")
            if self.candidates < 1:
                raise ValueError(f"candidates must be at least 1, got {self.candidates}")
            if not 0 < self.maximal < 1 or self.visible <= 0:
                raise ValueError("maximal is a share between 0 and 1, visible must be above 0")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """Samples as for all experiments on spheres; `laptop`: 41 points a side, `tiny`: 21."""
        side = {"tiny": {"experiment.grid": 21}, "laptop": {"experiment.grid": 41}}.get(preset, {})
        return {**super().presets(preset, dataset, model), **side}

    def check(self, settings: Any) -> None:
        """The reading must be one of the probe's.

        Raises:
            ConfigError: it is not, or a layer is named.
        """
        from advlab.errors import ConfigError

        super().check(settings)
        if settings.probe.layer != ["auto"]:
            raise ConfigError("probe.layer: symmetry_map reads scores, not the features of a layer: leave it out")
        count = len(settings.probe.readings)
        if not 0 <= self.params.reading < count:
            raise ConfigError(
                f"experiment.reading must be 0 to {count - 1}: the probe has {count} (probe.norm, probe.pixel_scale), "
                f"got {self.params.reading}"
            )

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples that qualify, and the pair that the map shows."""
        samples = ctx.qualified()
        pair = (
            {"sample": samples[0], "radius": 0, "kept": 0, "lost": 1}
            if ctx.settings.run.dry
            else self._pair(ctx, samples)
        )
        return {"samples": samples, "pair": pair}

    def _pair(self, ctx: Context, samples: list[int]) -> dict[str, int]:
        """Sample, index of the radius, and the trials that keep and lose the class.

        Raises:
            MeasurementError: no radius of any candidate has both.
        """
        from advlab.errors import MeasurementError

        p, probe = self.params, ctx.settings.probe
        tried = samples[: p.candidates]
        pair, smallest = None, len(probe.radii)
        for done, sample in enumerate(tried):
            found = first_pair(ctx, sample, p.reading, below=smallest)
            if found is not None:
                pair, smallest = found, found["radius"]
            ctx.report_progress("search", done + 1, len(tried))
        if pair is None:
            reading = probe.readings[p.reading]
            raise MeasurementError(
                f"no pair for the map: for none of {len(tried)} samples and radii {probe.radii[0]:g} to {probe.radii[-1]:g} "
                f"({reading}) do some of {probe.trials} permutations keep the class and others lose it. Raise "
                "experiment.candidates, probe.radii or probe.trials, or take another experiment.reading"
            )
        return pair

    def cells(self, ctx: Context) -> list[Cell]:
        """The map, and some samples a cell."""
        return [Cell("map", {"pair": ctx.prepared["pair"]}), *super().cells(ctx)]

    def cost(self, ctx: Context) -> Cost:
        """The sweep, the map, and at most all candidates' permutations for the search."""
        probe = ctx.settings.probe
        searched = min(self.params.candidates, len(ctx.prepared["samples"])) * len(probe.radii) * probe.trials
        forwards, backwards = direction_cost(ctx)
        return Cost(forwards=sweep_forwards(ctx) + searched + self.params.grid**2 + 3 + forwards, backwards=backwards)

    def measure(self, ctx: Context, cell: Cell) -> list[SymmetryMapRow]:
        """The map with its marks, or the spheres of some samples."""
        return self._map(ctx, cell.payload["pair"]) if cell.id == "map" else self._spheres(ctx, cell.payload["samples"])

    def _map(self, ctx: Context, pair: dict[str, int]) -> list[SymmetryMapRow]:
        import torch

        from advlab.plotting.pixels import encode
        from advlab.probes.permutations import Permutations

        p, probe, data = self.params, ctx.settings.probe, ctx.data
        assert data is not None
        sample, k, reading = pair["sample"], pair["radius"], probe.readings[p.reading]
        x, labels = images_and_labels(ctx, [sample])
        orders = Permutations(ctx.draws)
        v1, v2 = (perturbation(ctx, orders, sample, k, p.reading, pair[name]) for name in ("kept", "lost"))
        u1 = v1 / v1.norm()
        u2 = v2 - (v2 @ u1) * u1
        u2 /= u2.norm()

        def images(places: Tensor) -> Tensor:
            """(n, C, H, W) float32 images on the host at (n, 2) places of the plane."""
            moved = (x.cpu().double() + (places @ torch.stack([u1, u2])).view(-1, *x.shape[1:])).float()
            return moved.clamp(0, 1) if probe.clip else moved

        marks = torch.tensor([[0, 0], [float(v1.norm()), 0], [float(v2 @ u1), float(v2 @ u2)]], dtype=torch.float64)
        side = torch.linspace(-1, 1, p.grid, dtype=torch.float64) * p.extent * v1.norm()
        places = torch.cat([marks, torch.cartesian_prod(side, side)])
        q, margins, predictions = self._scores(ctx, places, images, labels)
        channels, height, width = data.shape
        kinds: list[dict[str, Any]] = [
            {
                "kind": "mark", "name": name, "radius": 0.0 if name == "clean" else probe.radii[k],
                "rms": 0.0 if name == "clean" else rms(v1), "channels": channels, "height": height, "width": width,
                "pixels": encode((image.clamp(0, 1) * 255).round().byte().numpy()),
            }
            for name, image in zip(("clean", "kept", "lost"), images(marks), strict=True)
        ]  # fmt: skip
        kinds += [
            {
                "kind": "grid", "name": "", "radius": probe.radii[k], "rms": math.nan, "channels": 0, "height": 0, "width": 0,
                "pixels": "",
            }
        ] * p.grid**2  # fmt: skip
        return [
            SymmetryMapRow(
                **self._identity(ctx, sample, reading), **kind, a=a, b=b, score=1 - q[n], deficit=q[n], margin=margins[n],
                prediction=predictions[n], prediction_name=data.classes[predictions[n]], trials=1, above=int(q[n] < q[0]),
                misclassified=int(math.isfinite(q[n]) and predictions[n] != int(labels)),
                nonfinite=int(not math.isfinite(q[n])),
            )
            for n, (kind, (a, b)) in enumerate(zip(kinds, places.tolist(), strict=True))
        ]  # fmt: skip

    def _scores(
        self, ctx: Context, places: Tensor, images: Callable[[Tensor], Tensor], label: Tensor
    ) -> tuple[list[float], list[float], list[int]]:
        """1 - score, margin and class at each place."""
        import torch

        from advlab.metrics.error_probability import error_probability

        assert ctx.forward is not None
        deficits: list[float] = []
        margins: list[float] = []
        predictions: list[int] = []
        for part in places.split(ctx.forward.limit):
            logits = ctx.forward(images(part).to(ctx.device))
            deficits += error_probability(logits, label)[0].tolist()
            others = logits.index_fill(1, label, -torch.inf).amax(1)
            margins += (logits[:, label[0]] - others).tolist()
            predictions += logits.argmax(1).tolist()
        return deficits, margins, predictions

    def _spheres(self, ctx: Context, samples: list[int]) -> list[SymmetryMapRow]:
        """How many of the T permutations of each (sample, reading, radius) score above the clean image."""
        import torch

        from advlab.lab.neighbourhood import sweep_scores
        from advlab.probes.permutations import Permutations

        probe = ctx.settings.probe
        found = sweep_scores(ctx, samples, Permutations(ctx.draws))
        finite = torch.isfinite(found.deficit)
        above = (found.deficit < found.clean[:, None, None]).sum(-1)  # false where it is nan
        wrong = (finite & ~found.hit).sum(-1)
        mean = torch.where(finite, found.deficit, 0).sum(-1) / finite.sum(-1)
        counts = torch.stack([above.double(), wrong.double(), finite.sum(-1).double(), mean], -1).tolist()
        return [
            SymmetryMapRow(
                kind="sphere", name="", **self._identity(ctx, sample, reading), radius=radius,
                rms=rms(perturbation(ctx, ctx.draws, sample, k, m)), a=math.nan, b=math.nan, score=1 - counts[m][s][k][3],
                deficit=counts[m][s][k][3], margin=math.nan, prediction=-1, prediction_name="", trials=probe.trials,
                above=int(counts[m][s][k][0]), misclassified=int(counts[m][s][k][1]),
                nonfinite=probe.trials - int(counts[m][s][k][2]), channels=0, height=0, width=0, pixels="",
            )
            for s, sample in enumerate(samples)
            for m, reading in enumerate(probe.readings)
            for k, radius in enumerate(probe.radii)
        ]  # fmt: skip

    def _identity(self, ctx: Context, sample: int, reading: Any) -> dict[str, Any]:
        """The columns that say which image, and which reading of the radius."""
        assert ctx.data is not None
        label = int(ctx.data.labels[sample])
        return {
            "sample": sample, "label": label, "label_name": ctx.data.classes[label], "norm": reading.norm,
            "pixel_scale": reading.pixel_scale, "direction": ctx.settings.probe.direction,
        }  # fmt: skip

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """What section 2.2 says of figure 2: of the map, and of all samples for each reading of the radius."""
        grid, spheres = table[table["kind"] == "grid"], table[table["kind"] == "sphere"]
        share = float(grid["above"].mean())
        found = [
            judge(
                "clean-is-maximal", exact(share), "<", self.params.maximal, subset="the map",
                statement='section 2.2: "It is clear that Phi(x) is maximum given the clean image x"',
                quantity="share of the map's points with a score above the clean one",
            )
        ]  # fmt: skip
        for (norm, scale, direction), part in spheres.groupby(["norm", "pixel_scale", "direction"], sort=False):
            found += self._reading_claims(part, reading_name(norm, scale, direction))
        return found

    def _reading_claims(self, part: pd.DataFrame, subset: str) -> list[Claim]:
        p = self.params
        above = part.assign(share=part["above"] / (part["trials"] - part["nonfinite"]))
        epsilon = float(part["radius"].min())
        smallest = above.loc[(above["radius"] == epsilon) & (epsilon < 1), "share"]  # from 1 on it is no epsilon
        kept = part["trials"] - part["nonfinite"] - part["misclassified"]
        mixed = part[(part["misclassified"] > 0) & (kept > 0)]
        has_pair = part.groupby("sample").size().index.isin(mixed["sample"])
        maximum = 'section 2.2: "Phi(x) is maximum given the clean image x"'
        return [
            judge(
                "clean-is-maximal-at-epsilon", median_interval(smallest), "<", p.maximal, subset=subset, statement=maximum,
                quantity=f"median share of permutations with a score above the clean one at {epsilon:g}",
            ),
            judge(
                "clean-is-maximal", median_interval(above.groupby("sample")["share"].mean()), "<", p.maximal, subset=subset,
                statement=maximum, quantity="median share of permutations with a score above the clean one, all radii",
            ),
            judge(
                "not-symmetric", share_interval(has_pair), ">", 0.5, subset=subset,
                statement='section 2.2: "one of them is classified as another class": so it is for most samples',
                quantity="share of samples of which some permutations keep the class and others lose it",
            ),
            judge(
                "not-perceivable", median_interval(mixed.groupby("sample")["rms"].min()), "<", p.visible, subset=subset,
                statement='section 2.2: "the perturbation vectors are not perceivable"',
                quantity="median root mean square of the smallest such perturbation, in grey levels",
            ),
        ]  # fmt: skip

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """The pair of the map: which sample, how long, and the three scores."""
        import pandas as pd

        lines = []
        for run, rows in table[table["kind"] == "mark"].groupby("run", sort=False):
            marks = rows.set_index("name")
            lost = marks.loc["lost"]
            line = {name: lost[name] for name in ("sample", "label_name", "norm", "pixel_scale", "radius", "rms")}
            scores = {f"score_{name}": marks.loc[name, "score"] for name in ("clean", "kept", "lost")}
            lines.append({"run": run, **line, **scores, "lost_to": lost["prediction_name"]})
        return pd.DataFrame(lines)

    def plot(self, table: pd.DataFrame) -> Figure:
        """The map with its marks, the three images, and the share of scores above the clean one by radius."""
        from .figures.score_maps import score_maps

        return score_maps(table)
