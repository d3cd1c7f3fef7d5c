"""Figure 2 of aghdam2017: the score on the plane of a perturbation and a permutation of it, one of which loses the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Interval, Lt

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, Figure, Frame, InRange, NetworkContext, Settings, frame_of
from advlab.statistics import Claim, judge, median_interval, share_interval

from .spheres import SphereExperiment, direction_cost, refuse_layers, rows_by_reading, sweep_forwards
from .symmetry_map_row import GRID, MARK, SPHERE, SymmetryMapRow, marks_of, of_kind, share_above


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
    summary_keys: ClassVar[tuple[str, ...]] = ("sample", "label_name", "norm", "pixel_scale")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The map and the search for it; thresholds fixed before anything was measured, the paper gives none."""

        grid: Annotated[int, Interval(ge=3, le=1001)] = 61  # points a side, odd: the clean image is one of them
        extent: Annotated[float, Gt(1)] = 1.5  # half a side, in lengths of v1; with less v1 and v2 would lie outside
        candidates: Annotated[int, Ge(1)] = 20  # samples among which the pair is searched
        reading: int = 0  # of the radius, for the map: place in probe.norm and probe.pixel_scale
        #: "Phi(x) is maximum given the clean image": share of scores above it below
        maximal: Annotated[float, Gt(0), Lt(1)] = 0.01
        #: "not perceivable": root mean square of the perturbation below, in grey levels
        visible: Annotated[float, Gt(0)] = 8.0

        def __post_init__(self) -> None:
            """Refuse values out of range, and an even grid.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if self.grid % 2 == 0:
                raise ArgumentError(f"grid must be odd, got {self.grid}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """Samples as for all experiments on spheres; `laptop`: 41 points a side, `tiny`: 21."""
        side = {"tiny": {"experiment.grid": 21}, "laptop": {"experiment.grid": 41}}.get(preset, {})
        return {**super().presets(preset, dataset, model), **side}

    def check(self, settings: Settings) -> None:
        """The reading must be one of the probe's.

        Raises:
            ConfigError: it is not, or a layer is named.
        """
        super().check(settings)
        refuse_layers(self.name, settings)
        count = len(settings.probe.readings)
        if not 0 <= self.params.reading < count:
            raise ConfigError(
                f"experiment.reading must be 0 to {count - 1}: the probe has {count} (probe.norm, probe.pixel_scale), "
                f"got {self.params.reading}"
            )

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The samples that qualify, and the pair that the map shows."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """The map, and some samples a cell."""
        return [Cell("map", {"pair": ctx.prepared["pair"]}), *super().cells(ctx)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """The sweep, the map, and at most all candidates' permutations for the search."""
        probe = ctx.settings.probe
        searched = min(self.params.candidates, len(ctx.prepared["samples"])) * len(probe.radii) * probe.trials
        forwards, backwards = direction_cost(ctx)
        return Cost(forwards=sweep_forwards(ctx) + searched + self.params.grid**2 + 3 + forwards, backwards=backwards)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 2.2 says of figure 2, of all samples for each reading of the radius.

        The map is of one sample, which decides nothing; what share of it is above the clean score stands in the summary.
        """
        readings = rows_by_reading(of_kind(table, SPHERE))
        return [claim for name, rows in readings for claim in self._reading_claims(rows, name)]

    def _reading_claims(self, spheres: Frame, subset: str) -> list[Claim]:
        params = self.params
        shares = spheres.assign(share=share_above(spheres))
        epsilon = float(spheres["radius"].min())
        at_epsilon = shares.loc[(shares["radius"] == epsilon) & (epsilon < 1), "share"]  # from 1 on it is no epsilon
        kept = spheres["trials"] - spheres["nonfinite"] - spheres["misclassified"]
        mixed = spheres[(spheres["misclassified"] > 0) & (kept > 0)]
        measured = (spheres["trials"] > spheres["nonfinite"]).groupby(spheres["sample"]).any()
        samples = measured[measured].index
        has_pair = samples.isin(mixed["sample"])
        # beyond the radii that were measured, where no order of a sample's perturbations loses the class
        smallest = mixed.groupby("sample")["rms"].min().reindex(samples, fill_value=math.inf)
        maximum = 'section 2.2: "Phi(x) is maximum given the clean image x"'
        return [
            judge(
                "clean-is-maximal-at-epsilon", median_interval(at_epsilon), "<", params.maximal, subset=subset, statement=maximum,
                quantity=f"median share of permutations with a score above the clean one at {epsilon:g}",
            ),
            judge(
                "clean-is-maximal", median_interval(shares.groupby("sample")["share"].mean()), "<", params.maximal, subset=subset,
                statement=maximum, quantity="median share of permutations with a score above the clean one, all radii",
            ),
            judge(
                "not-symmetric", share_interval(has_pair), ">", 0.5, subset=subset,
                statement='section 2.2: "one of them is classified as another class": so it is for most samples',
                quantity="share of samples of which some of the T permutations drawn keep the class and others lose it",
            ),
            judge(
                "not-perceivable", median_interval(smallest), "<", params.visible, subset=subset,
                statement='section 2.2: "the perturbation vectors are not perceivable"',
                quantity="median root mean square of the smallest such perturbation drawn, in grey levels; infinite without any",
            ),
        ]  # fmt: skip

    def summary(self, table: Frame) -> Frame:
        """The pair of the map: which sample, how long, how much of the map is above the clean score, and the three scores."""
        lines = []
        for run, rows in of_kind(table, MARK).groupby("run", sort=False):
            marks = marks_of(rows)
            lost = marks.loc["lost"]
            line = {name: lost[name] for name in ("sample", "label_name", "norm", "pixel_scale", "radius", "rms")}
            line["share_above_clean"] = float(of_kind(table[table["run"] == run], GRID)["above"].mean())
            scores = {f"score_{name}": marks.loc[name, "score"] for name in ("clean", "kept", "lost")}
            lines.append({"run": run, **line, **scores, "lost_to": lost["prediction_name"]})
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """The map with its marks, the three images, and the share of scores above the clean one by radius."""
        from .figures.symmetry_map import score_maps

        spheres = of_kind(table, SPHERE)
        return score_maps(of_kind(table, MARK), of_kind(table, GRID), spheres.assign(share=share_above(spheres)))
