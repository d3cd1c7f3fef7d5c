"""Sections 1, 4.4 and 5 of jetley2018: what suppressing curved directions gains in robustness, and costs in accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from advlab.attacks import DeepFool
from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage, frame_of
from advlab.statistics import Claim

from .chosen_basis import tiny_basis
from .missing_classes import of_known_classes
from .subspace_family import SubspaceParams, dimensions_of, kinds_of
from .suppression_claims import suppression_claims
from .suppression_points import points_of

Mode = Literal["remove", "keep"]
ATTACK = DeepFool(refine=True)  # of the smallest perturbations inside the bounds; white-box: it sees the projection


@dataclass(frozen=True)
class SuppressionRow:
    """One attacked image behind one projection."""

    mode: str  # remove: images lose their component in the subspace; keep: they lose all else
    subspace: str  # what is removed or kept: pos, neg, neg+pos, flat, most, complement; hi, lo; random
    d: int  # directions of each class; of neg+pos 2 d; of hi, lo and random d C of all together
    draw: int  # of a random subspace; 0 of the others
    classes: int  # C, that directions are taken of
    rank: int  # dimensions of the subspace
    dimension: int  # D
    sample: int  # index in the split
    eligible_whole: bool  # correct without the projection, and attacked there with success
    l2_whole: float  # smallest L2 norm found without the projection, of pixels in [0, 1]; nan: not eligible
    correct: bool  # behind the projection
    l2: float  # smallest L2 norm found behind the projection, by an attack that knows it; nan: not correct, or none was found
    factor: float  # by which the perturbation found without the projection is lengthened, before it is shown to both
    transferred: bool  # that perturbation changes the class behind the projection, too
    accuracy_images: int  # of the projection, the same in all its rows
    accurate_whole: int  # of them: correct without it
    accurate: int  # of them: correct behind it
    lost: int  # of them: correct without it, and not behind it
    won: int  # of them: correct behind it, and not without
    without: str = ""  # names of the classes that have no boundary points, and of which no directions are taken


class Suppression(Experiment[NetworkContext]):
    """Does the suppression of curved directions make a network robust, and at what price?

    Each image is projected before the network sees it: onto the span of d directions of each class (keep), or out of it
    (remove), with the training mean's component instead. Accuracy is measured on many images, robustness as the smallest L2 norm
    that refined DeepFool finds on network and projection together, on some of them. Beside that, the perturbations found
    without the projection, lengthened by `gain` since they end at the boundary, are shown to the projected network: the apparent
    robustness, against an attack that does not know it.
    Random subspaces of d C dimensions are the control.
    """

    name: ClassVar[str] = "suppression"
    paper: ClassVar[str] = "jetley2018, sections 1, 4.4 and 5"
    title: ClassVar[str] = "Accuracy and white-box robustness when curved directions are removed or kept"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = SuppressionRow
    summary_keys: ClassVar[tuple[str, ...]] = ("mode", "subspace", "d", "draw")

    @dataclass(frozen=True, kw_only=True)
    class Params(SubspaceParams):
        """Which projections, images, and thresholds, which were fixed before anything was measured."""

        modes: list[Mode] = field(default_factory=lambda: ["remove", "keep"])
        samples: Annotated[int, Ge(1)] = 200  # test images that are attacked, the first of a seeded order
        accuracy_images: Annotated[int, Ge(1)] = 5000  # test images of the accuracy
        draws: Annotated[int, Ge(1)] = 1  # random subspaces for each d
        #: a projection gains robustness: the median ratio of smallest norms, with to without it, is above
        gain: Annotated[float, Gt(1)] = 1.1
        #: "retain full classification accuracy": at most this share of images is lost
        lost: Annotated[float, Gt(0), Lt(1)] = 0.01
        #: "lower than they appear": share that withstands a transferred perturbation less the share that withstands all of its
        #: length, above; the latter are hardly ever more, so that 0 is no threshold
        overstated: Annotated[float, Gt(0), Lt(1)] = 0.1

        def __post_init__(self) -> None:
            """Refuse values out of range, and modes that are named twice or not at all.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.modes or len(set(self.modes)) < len(self.modes):
                raise ArgumentError(f"modes must name remove, keep or both, each once, got {self.modes}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 50 attacked images, 2000 for the accuracy and 50 boundary points; `tiny`: 10, 50 and 5."""
        sizes = {"laptop": (50, 2000, 50), "tiny": (10, 50, 5)}.get(preset)
        names = ("samples", "accuracy_images", "points")
        keys = [f"experiment.{name}" for name in names]
        return {} if sizes is None else tiny_basis(preset) | dict(zip(keys, sizes, strict=True))

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The curvature bases of all classes, and the smallest perturbations without a projection."""
        from .subspaces_measure import subspace_stages  # loads torch

        return [*subspace_stages(ctx, self.params), self.measurement().unprojected_stage(self, ctx)]  # type: ignore[attr-defined]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for each d above 0: without directions nothing is removed, or all."""
        from .subspaces_measure import needed_stages  # loads torch

        kinds_of(self.params, ctx.values_per_image)  # what was typed is there
        needed = (*needed_stages(ctx, self.params), "unprojected")
        dimensions = [d for d in dimensions_of(self.params, ctx.values_per_image, len(ctx.data.classes)) if d]
        return [Cell(f"d-{d:06d}", {"d": d}, needed) for d in dimensions]

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: an attack of each sample and a forward of each image behind each projection."""
        params, size = self.params, ctx.values_per_image
        spaces = len(kinds_of(params, size)) + params.draws - 1
        projections = len(dimensions_of(params, size, len(ctx.data.classes))) * spaces * len(params.modes)
        forwards, backwards = ATTACK.estimated_cost(len(ctx.data.classes))
        images = params.accuracy_images + params.samples * (forwards + 2)
        return Cost(forwards=projections * images, backwards=projections * params.samples * backwards)

    def claims(self, table: Frame) -> list[Claim]:
        """What sections 1, 4.4 and 5 say of suppressed directions, and random ones as their control."""
        return of_known_classes(suppression_claims(table, self.params), table)

    def summary(self, table: Frame) -> Frame:
        """Rank, accuracy, lost accuracy, median norms and their ratio, and the apparent robustness of each projection."""
        lines = []
        for run, rows in table.groupby("run", sort=False):
            lines += [{"run": run, **point.line()} for point in points_of(rows)]
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Accuracy against the median ratio of smallest norms: a panel for each mode, a curve over d for each subspace."""
        from .figures.suppression import trade_off

        return trade_off(self.summary(table), gain=self.params.gain, lost=self.params.lost)
