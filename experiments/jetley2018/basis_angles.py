"""Section 4.3 of jetley2018: are curved directions those that gradients and DeepFool take? Angles between the bases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage, frame_of
from advlab.statistics import NOT_MEASURED, Claim, judge, mean_interval

from .curvature_params import CurvatureParams, CurvedBasis, curved_directions
from .curvature_stages import curvature_stages, is_dense, stage_id
from .missing_classes import of_known_classes
from .singular_stages import SingularParams, singular_id, singular_stage
from .subspace_family import checked_limit

SOURCES = ("deepfool", "gradient")
ALL = -1  # the class of rows about all classes together
CORRESPOND = (
    'section 4.3: "the directions obtained by boundary curvature analysis in Alg. 1 correspond to the directions exploited by '
    'various first-order methods"'
)


@dataclass(frozen=True)
class BasisAnglesRow:
    """Directions of one class, or of all, beside the d C first singular vectors of perturbations or gradients."""

    #: most, flat or complement: by their curvature; random; deepfool: the d C first singular vectors of perturbations, whose target
    #: is -1 and source gradient
    directions: str
    source: str  # of the singular vectors: deepfool or gradient
    d: int  # directions of the class
    target: int  # class; -1: all together
    classes: int  # C, that directions are taken of
    rank: int  # of the directions
    singular: int  # singular vectors that they are compared with, d C if there are so many
    dimension: int  # D
    overlap: float  # mean squared cosine of the principal angles
    expected: float  # the same of random subspaces, in the mean: the larger of both dimensions / D
    smallest_angle: float  # degrees
    median_angle: float  # degrees; of an even number of angles the lower one of the middle
    without: str = ""  # names of the classes that have no boundary points, and of which no directions are taken


class BasisAngles(Experiment[NetworkContext]):
    """How far are the bases of curvature, of DeepFool's perturbations and of gradients from each other?

    For each d: the d most curved directions of every class (of either sign), its d flattest, and random ones, against the span
    of the first d C singular vectors of stacked DeepFool perturbations and of class-score gradients, of training images; and
    these two spans against each other. The unit is a class; overlap is the mean squared cosine of the principal angles, for
    random subspaces the larger dimension / D.
    """

    name: ClassVar[str] = "basis_angles"
    paper: ClassVar[str] = "jetley2018, section 4.3"
    title: ClassVar[str] = (
        "Principal angles between curved directions and singular vectors of perturbations and gradients"
    )
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = BasisAnglesRow
    version: ClassVar[int] = 2  # 2: rows of DeepFool against gradients
    summary_keys: ClassVar[tuple[str, ...]] = ("source", "directions", "d")

    @dataclass(frozen=True, kw_only=True)
    class Params(CurvatureParams):
        """Which bases, and thresholds, which were fixed before anything was measured."""

        basis: CurvedBasis = "auto"  # of curved directions, which are compared with those of deepfool and gradient
        perturbations: Annotated[int, Ge(1)] = 10_000  # training images whose perturbations and gradients are stacked
        dimensions: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [1, 2, 5, 10])  # d of each class
        #: "correspond": overlap above; at the largest d
        correspond: Annotated[float, Gt(0), Lt(1)] = 0.5

        def __post_init__(self) -> None:
            """Refuse values out of range, and dimensions that are named twice or not at all.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.dimensions or len(set(self.dimensions)) < len(self.dimensions):
                raise ArgumentError(f"dimensions must name at least one, each once, got {self.dimensions}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 1000 perturbations and 50 boundary points; `tiny`: 50 and 5."""
        sizes = {"tiny": (50, 5), "laptop": (1000, 50)}.get(preset)
        names = ("perturbations", "points")
        return {} if sizes is None else {f"experiment.{name}": size for name, size in zip(names, sizes, strict=True)}

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The curvature bases of all classes, and both bases of singular vectors."""
        params = SingularParams(perturbations=self.params.perturbations)
        singular = [singular_stage(ctx, params, source) for source in SOURCES]  # type: ignore[arg-type]
        return [*curvature_stages(ctx, self.params, range(len(ctx.data.classes))), *singular]

    def kinds(self, ctx: NetworkContext) -> tuple[str, ...]:
        """The directions that are compared."""
        return ("most", "flat" if is_dense(self.params, ctx.values_per_image) else "complement", "random")

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a d.

        Raises:
            ConfigError: the curvature bases do not hold so many directions.
        """
        size = ctx.values_per_image
        checked_limit(self.params, size, self.params.dimensions, curved_directions(self.params, size))
        singular = [singular_id(source) for source in SOURCES]  # type: ignore[arg-type]
        needed = (*(stage_id(c) for c in range(len(ctx.data.classes))), *singular)
        return [Cell(f"d-{d:06d}", {"d": d}, needed) for d in sorted(self.params.dimensions)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """None: the stages name their own."""
        return Cost()

    def claims(self, table: Frame) -> list[Claim]:
        """Whether the curved directions are those of DeepFool and of gradients, and flat ones are not."""
        claims = []
        d = int(table["d"].max()) if len(table) else 0
        for source in SOURCES:
            rows = table[(table["source"] == source) & (table["d"] == d) & (table["target"] != ALL)]
            curved, flat = rows[rows["directions"] == "most"], rows[rows["directions"].isin(["flat", "complement"])]
            above, below = (
                mean_interval(part["overlap"] - part["expected"], least=-1, most=1) if len(part) else NOT_MEASURED
                for part in (curved, flat)
            )
            subset = f"{source}, d = {d}"
            claims += [
                judge(
                    "correspond", mean_interval(curved["overlap"], least=0, most=1), ">", self.params.correspond, subset=subset,
                    statement=CORRESPOND, networks="all",
                    quantity="overlap of a class's curved directions with the first singular vectors, mean over classes",
                ),
                judge(
                    "above-random", above, ">", 0, subset=subset,
                    statement="control: curved directions are nearer to them than random ones",
                    quantity="that overlap less the one of random directions",
                ),
                judge(
                    "flat-below-random", below, "<", 0, subset=subset,
                    statement="control: flat directions are further from them than random ones",
                    quantity="overlap of a class's flat directions less the one of random directions",
                ),
            ]  # fmt: skip
        return of_known_classes(claims, table)

    def summary(self, table: Frame) -> Frame:
        """Overlaps in the mean over classes, and of all classes together, with the median principal angle."""
        lines = []
        for (run, source, kind, d), rows in table.groupby(["run", "source", "directions", "d"], sort=False):
            together = rows[rows["target"] == ALL].iloc[0]
            each = mean_interval(rows.loc[rows["target"] != ALL, "overlap"], least=0, most=1)
            lines.append(
                {
                    "run": run, "source": source, "directions": kind, "d": d, "overlap": each.estimate, "low": each.low,
                    "high": each.high, "expected": together["singular"] / together["dimension"],
                    "together": together["overlap"], "rank": together["rank"], "median_angle": together["median_angle"],
                    "smallest_angle": together["smallest_angle"],
                }
            )  # fmt: skip
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """The overlap against d: a panel for each source, a line for curved, flat and random directions."""
        from .figures.basis_angles import overlaps

        return overlaps(table)
