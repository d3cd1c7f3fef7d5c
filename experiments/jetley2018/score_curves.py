"""Figure 1 of jetley2018: the score of a class along its directions, a curve for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cost, Figure, Frame, NetworkContext, frame_of
from advlab.statistics import Claim

from .along_directions import AlongDirections, DirectionParams
from .chosen_basis import tiny_basis
from .missing_classes import missing_names, with_points, without
from .score_curves_claims import score_curve_claims, separable


@dataclass(frozen=True)
class ScoreCurvesRow:
    """The score F(s) of a class along x + s d for one image x; lengths are those of images with pixels in [0, 1].

    Sums of squares are about the best sum G + H (`advlab.metrics.curve_shapes.separability`), of the curves of all images of this
    class and direction.
    """

    dataset: str
    target: int  # the class whose score it is
    target_name: str
    direction: str  # positive, negative, flat; complement: random, orthogonal to all known curved ones; hi, lo; random
    index: int  # 1: the most curved, or the flattest, of its kind
    sample: int  # index in the split
    label: int  # true class
    prediction: int  # class at s = 0
    curvature: float  # eigenvalue of the mean Hessian; NaN of complement and random
    range: float  # the longest |s|
    saturated: bool  # as in class_scores
    component: float  # (x - mean of the images) . d
    symmetry: float  # R^2 of the curve's mirror image about s_0; NaN of a constant score
    center: float  # s_0
    monotonicity: float  # net change over total variation of the worse half-line from s_0, in [0, 1]
    slope: float  # mean |dF/ds|: total variation over the length of the range
    #: share of the variance over a grid of steps along this direction and its partner that no sum of two functions explains
    interaction: float
    partner: str  # the kind of the partner, whose index is 1
    left: float  # sum of squares that G(s) + H(image) leaves
    total: float  # sum of squares about the mean of all curves
    within: float  # sum of squares about the curve's own mean
    aligned_left: float  # the same three with G a function of s + component, where all curves are known; NaN: nowhere
    aligned_total: float
    aligned_within: float
    drawn: bool  # whether the curve is in the figure
    scores: str  # F at equally spaced s, separated by spaces, of drawn curves
    predictions: str  # classes at these, likewise
    channels: int  # of the image that `pixels` holds
    height: int
    width: int
    #: of one drawn curve a direction: the direction (0 is grey), then images along the curve, beside each other; uint8 in base64
    pixels: str
    shown_steps: str  # positions among `predictions` of these images, separated by spaces
    shown_names: str  # names of the classes there, a JSON list
    missing: bool = False  # the class has no boundary points, and this is its only row


class ScoreCurves(AlongDirections):
    """Figure 1: class scores of single images along the directions of a class, and what section 1 observes in them.

    Symmetry about some s_0, monotonicity in both half-lines, and additive separability, F = G(i^d) + H(i^perp), are measured on
    every image and direction. With G a function of the step s, all images are compared from where they are; with G
    a function of i^d, as the paper writes it, their curves are first shifted by their component along d. Two directions are
    independent where the score on a grid of steps along both is a sum of two functions.
    """

    name: ClassVar[str] = "score_curves"
    paper: ClassVar[str] = "jetley2018, figure 1"
    title: ClassVar[str] = "Class scores of single images along curvature directions"
    Row: ClassVar[type] = ScoreCurvesRow
    summary_keys: ClassVar[tuple[str, ...]] = ("target", "direction", "index")

    @dataclass(frozen=True, kw_only=True)
    class Params(DirectionParams):
        """The directions, the images, and the thresholds of the claims, which were fixed before anything was measured."""

        samples: Annotated[int, Ge(2)] = 200  # images of the measured split, in the run's seeded order
        curves: Annotated[int, Ge(1)] = 30  # in the figure
        images: Annotated[int, Ge(3)] = 5  # along one of the curves
        grid: Annotated[int, Ge(2)] = 5  # steps along either of two directions
        symmetry: Annotated[float, Gt(0), Lt(1)] = 0.9  # "approximately symmetrical": median R^2 above
        monotonicity: Annotated[float, Gt(0), Lt(1)] = 0.9  # "monotonic in both half-lines": median above
        separability: Annotated[float, Gt(0), Lt(1)] = (
            0.9  # "approximately additively separable": share explained above
        )
        interaction: Annotated[float, Gt(0), Lt(1)] = 0.1  # "almost independently of each other": median share below
        #: "curvature magnitude representing the sensitivity" (section 4.1): rank correlation of |lambda| and the mean slope above
        sensitivity: Annotated[float, Gt(0), Lt(1)] = 0.5

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 100 images, 50 boundary points; `tiny`: 12 images, 9 lengths, 5 points, one direction."""
        sizes = {"tiny": (12, 4, 5, 1), "laptop": (100, 20, 50, 2)}.get(preset)
        names = ("samples", "steps", "points", "directions")
        return (
            tiny_basis(preset) | dict(zip([f"experiment.{name}" for name in names], sizes, strict=True))
            if sizes
            else {}
        )

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward an image and length in each cell, and one an image and point of the grid."""
        images, of = len(self.samples(ctx)), self.params
        return Cost(forwards=len(self.cells(ctx)) * images * (2 * of.steps + 1 + of.grid**2))

    def summary(self, table: Frame) -> Frame:
        """For each class and direction, medians over images and what a sum of functions explains."""
        lines = []
        keys = ["run", "target", "direction", "index"]
        for (run, target, direction, index), rows in with_points(table).groupby(keys, sort=False):
            medians = rows[["symmetry", "center", "monotonicity", "slope", "interaction"]].median()
            lines.append(
                {
                    "run": run, "target": target, "direction": direction, "index": index,
                    "curvature": rows["curvature"].iloc[0], "range": rows["range"].iloc[0],
                    "saturated": rows["saturated"].iloc[0], **medians,
                    "separability": separable(rows, "left", "total").estimate,
                    "common_shape": separable(rows, "left", "within").estimate,
                    "aligned_separability": separable(rows, "aligned_left", "aligned_total").estimate,
                    "aligned_common_shape": separable(rows, "aligned_left", "aligned_within").estimate,
                }
            )  # fmt: skip
        return frame_of(lines)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 1 observes, for each class and kind of curved direction and over classes, and footnote 8."""
        names, found = missing_names(table, self.params), with_points(table)
        claims = score_curve_claims(found, self.params)
        return without(claims, names, found["target"].nunique(), lambda claim: claim.subset.startswith("over "))

    def plot(self, table: Frame) -> Figure:
        """The curves of a drawn class along its directions; below, the direction and images along one of them."""
        from .figures.score_curves import score_curves

        return score_curves(with_points(table))
