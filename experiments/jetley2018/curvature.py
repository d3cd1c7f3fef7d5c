"""Section 3 of jetley2018: principal curvatures of each class's boundary, and what perturbations along their directions do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Settings, Stage
from advlab.statistics import Claim

from .curvature_claims import curvature_claims, curvature_summary
from .curvature_params import CurvedBasis
from .curvature_stages import TargetParams, curvature_stages, is_dense, stage_id
from .missing_classes import missing_names, with_points, without

PRINCIPAL, RANDOM = "principal", "random"
LENGTHS, BISECTIONS = (
    17,
    6,
)  # lengths that are tried on either side, each sqrt(2) times the former, and halvings between two


@dataclass(frozen=True)
class CurvatureRow:
    """One direction of one class's basis, and what is known of the basis as a whole."""

    target: int  # class
    target_name: str
    direction: str  # principal, or random as the control
    rank: int  # 1: the most positive; of random ones their number
    size: int  # values of an image
    found: int  # principal directions that are known: `size` of a dense Hessian
    points: int  # boundary points
    step: float  # h, in [0, 1] pixels
    curvature: float  # eigenvalue of the mean Hessian, in logits a squared pixel; NaN of random ones
    rayleigh: float  # v'Hv by the operator itself; NaN where it was not asked
    residual: float  # ||Hv - lambda v|| / ||Hv||, likewise
    asymmetry: float  # ||H - H'|| / ||H|| of the dense matrix; NaN of Lanczos
    bend: float  # |lambda| h over the mean norm of the gradient: share by which it changes within a step
    top: int  # directions of the subspaces that are compared
    overlap_positive: float  # mean cos^2 between the `top` most positive ones of disjoint halves of the points
    overlap_negative: float  # of the most negative ones
    images: int  # along which the direction was followed; 0: it was not
    flipped: float  # share whose prediction changes within `limit` on either side
    flip_norm: (
        float  # median over the images of the smallest such length, l2 of [0, 1] pixels; infinite: beyond `limit`
    )
    limit: float  # longest that was tried
    channels: int  # shape of the direction as an image
    height: int
    width: int
    pixels: str  # the direction as grey levels, 0 in their middle; empty of most
    missing: bool = False  # the class has no boundary points, and this is its only row


class Curvature(Experiment[NetworkContext]):
    """Spectra of the mean Hessians of F_c - F_source at boundary points of each class c, and their directions (algorithm 1).

    How far the directions are shared is told by the overlap of the subspaces that disjoint halves of the points give. Flipping
    norms are those along single directions, on either side and without a bound on the pixels, as the paper perturbs.
    """

    name: ClassVar[str] = "curvature"
    paper: ClassVar[str] = "jetley2018, section 3"
    title: ClassVar[str] = "Principal curvatures of class boundaries, their directions and flipping norms along them"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = CurvatureRow
    summary_keys: ClassVar[tuple[str, ...]] = ("target", "target_name")

    @dataclass(frozen=True, kw_only=True)
    class Params(TargetParams):
        """What is measured of each basis, and the thresholds of the claims, which were fixed before anything was measured."""

        basis: CurvedBasis = "auto"  # the spectrum of the mean Hessian itself
        halves: bool = True  # bases of disjoint halves of the points as well, which take as much again
        top: Annotated[int, Ge(1)] = 10  # directions of the subspaces that are compared
        directions: Annotated[int, Ge(0)] = 12  # of either sign that are followed, from the most curved to the flattest
        images: Annotated[int, Ge(1)] = 100  # that are moved along them
        #: longest perturbation, as a root-mean-square change of the pixels: cap sqrt(D) in l2
        cap: Annotated[float, Gt(0)] = 0.5
        #: a direction is flat if its |lambda| is at most so much of the largest one of the class
        flat: Annotated[float, Gt(0), Lt(1)] = 0.05
        #: least share by which the gradient must change within a step; below it the boundary is not curved
        bend: Annotated[float, Gt(0), Lt(1)] = 1e-3
        most: Annotated[float, Gt(0), Lt(1)] = (
            0.5  # "a majority of image-space directions", "most" classes: share above
        )
        overlap: Annotated[float, Gt(0), Lt(1)] = 0.5  # "shared over exemplars": mean cos^2 between halves above
        correlation: Annotated[float, Ge(0), Lt(1)] = (
            0.5  # "higher curvature implying lower-norm": rank correlation below -
        )

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 50 points and images; `tiny`: two classes, 4 points, 3 directions of either sign on 10 images."""
        tiny: dict[str, Any] = {"classes": [0, 1], "points": 4, "directions": 3, "images": 10, "top": 3}
        laptop: dict[str, Any] = {"points": 50, "images": 50}
        sizes = {"tiny": tiny, "laptop": laptop}.get(preset, {})
        return {f"experiment.{name}": size for name, size in sizes.items()}

    def check(self, settings: Settings) -> None:
        """The classes exist.

        Raises:
            ConfigError: one does not.
        """
        self.params.targets(settings.dataset.class_count)

    def targets(self, ctx: NetworkContext) -> list[int]:
        """The classes whose boundaries are looked at."""
        targets: list[int] = self.params.targets(len(ctx.data.classes))
        return targets

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """Points and basis of each class, then the bases of both halves of its points."""
        targets = self.targets(ctx)
        halves = (0, 1) if self.params.halves else ()
        return [stage for half in (None, *halves) for stage in curvature_stages(ctx, self.params, targets, half)]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a class."""
        halves = (0, 1) if self.params.halves else ()
        return [
            Cell(f"class-{c}", {"target": c}, stages=(stage_id(c), *(stage_id(c, half) for half in halves)))
            for c in self.targets(ctx)
        ]

    def cost(self, ctx: NetworkContext) -> Cost:
        """The searches along directions; the stages name their own."""
        followed = 2 * self.params.directions + 1 if self.params.directions else 0
        if not is_dense(self.params, ctx.values_per_image):
            followed = min(followed, 2 * self.params.pairs + 1)
        each = self.params.images * 2 * (LENGTHS + BISECTIONS)
        return Cost(forwards=len(self.targets(ctx)) * (followed * each + self.params.images))

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of sections 2.2 and 3, by class and over classes."""
        names, found = missing_names(table, self.params), with_points(table)
        claims = curvature_claims(found, self.params)
        return without(claims, names, found["target"].nunique(), lambda claim: claim.subset.endswith("classes"))

    def summary(self, table: Frame) -> Frame:
        """A line a class: the ends of the spectrum, how exact they are, flat directions, overlaps, flipping norms."""
        return curvature_summary(with_points(table), self.params)

    def plot(self, table: Frame) -> Figure:
        """Spectra, flipping norms against curvature, and the most curved directions as images."""
        from .figures.curvature import spectra_and_directions

        return spectra_and_directions(with_points(table))
