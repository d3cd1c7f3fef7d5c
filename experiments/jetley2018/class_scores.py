"""Figure 2 of jetley2018: class scores over the images along positively, negatively and hardly curved directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Lt

from advlab.lab import Cost, Figure, Frame, NetworkContext, frame_of
from advlab.statistics import Claim

from .along_directions import AlongDirections, DirectionParams
from .chosen_basis import tiny_basis
from .class_scores_claims import at_the_ends, class_score_claims, half_moved
from .missing_classes import missing_names, with_points, without


@dataclass(frozen=True)
class ClassScoresRow:
    """All images at one step along one direction of one class; quantiles are those of 30, 50 and 70 %.

    Counts "both" and "either" are about the steps s and -s of the same image together.
    """

    target: int  # the class
    target_name: str
    direction: str  # positive, negative, flat; complement: random, orthogonal to all known curved ones; hi, lo; random
    index: int  # 1: the most curved, or the flattest, of its kind
    length: float  # s, of images with pixels in [0, 1]; the largest is the end of the range
    target_low: float  # logit of the class: quantiles over all images
    target_median: float
    target_high: float
    other_low: float  # largest logit of the other classes: likewise
    other_median: float
    other_high: float
    others: int  # images that the network puts into other classes at s = 0
    moved: int  # of these, those in the class at s
    moved_both: int  # in the class at s and at -s
    probability: float  # median over the same `others` of the softmax of the class; NaN without such images
    own: int  # images that the network puts into the class at s = 0
    stayed: int  # of these, those that are still in it at s
    stayed_either: int  # at s or at -s
    unchanged: int  # of all images, those of the same class as at s = 0
    unchanged_both: int  # at s and at -s
    samples: int  # images
    curvature: float  # eigenvalue of the mean Hessian; NaN of complement and random
    saturated: bool  # whether all shares stay the same beyond the range of s, up to the cap; or the range was given
    drawn: bool  # whether the class is in the figure
    channels: int  # of the direction as an image
    height: int
    width: int
    pixels: str  # the direction as an image at s = 0 of drawn classes, uint8 in base64: 0 is grey; empty elsewhere
    missing: bool = False  # the class has no boundary points, and this is its only row


class ClassScores(AlongDirections):
    """Figure 2: target and largest other score, and the share moved into the class, along directions of each class.

    An image moves to x + s d, unclipped, for unit vectors d: the most positively and the most negatively curved directions of the
    class and its flattest ones by algorithm 1 (section 3), and a random one as the control; or, by `basis`, the first and the
    last singular vectors, or random directions. s goes up to saturation on both
    sides. Whose class the target is says the network at s = 0, as in algorithm 1. Every class is measured and judged; the
    figure draws one, as the paper does, which decides nothing.
    """

    name: ClassVar[str] = "class_scores"
    paper: ClassVar[str] = "jetley2018, figure 2"
    title: ClassVar[str] = "Class scores over all images along curvature directions"
    Row: ClassVar[type] = ClassScoresRow
    summary_keys: ClassVar[tuple[str, ...]] = ("target", "direction", "index")

    @dataclass(frozen=True, kw_only=True)
    class Params(DirectionParams):
        """The directions, the images, and the thresholds of the claims, which were fixed before anything was measured."""

        moved: Annotated[float, Gt(0), Lt(1)] = 0.95  # share moved into the class by s and by -s: above
        stayed: Annotated[float, Gt(0), Lt(1)] = 0.05  # share of the class's own that s or -s leaves in it: below
        unchanged: Annotated[float, Gt(0), Lt(1)] = 0.95  # share that flat directions leave as they are: above

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 1500 images, so that 150 of a class decide, 13 lengths, 50 points; `tiny`: 30 images, 7 lengths, 5 points.

        Both take one direction of each kind.
        """
        sizes = {"tiny": (30, 3, 5, 1), "laptop": (1500, 6, 50, 1)}.get(preset)
        names = ("samples", "steps", "points", "directions")
        return (
            tiny_basis(preset) | dict(zip([f"experiment.{name}" for name in names], sizes, strict=True))
            if sizes
            else {}
        )

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward an image and length in each cell."""
        images = len(self.samples(ctx))
        return Cost(forwards=len(self.cells(ctx)) * images * (2 * self.params.steps + 1))

    def summary(self, table: Frame) -> Frame:
        """For each class and direction: the shares at the end of the range, and the length that moves half."""
        lines = []
        keys = ["run", "target", "direction", "index"]
        for (run, target, direction, index), rows in with_points(table).groupby(keys, sort=False):
            end = at_the_ends(rows).iloc[-1]
            lines.append(
                {
                    "run": run, "target": target, "direction": direction, "index": index, "curvature": end["curvature"],
                    "range": end["length"], "saturated": end["saturated"], "half_moved_at": half_moved(rows),
                    **{
                        name: end[name] / end[of] if end[of] else float("nan")
                        for name, of in (
                            ("moved", "others"), ("moved_both", "others"), ("stayed", "own"), ("stayed_either", "own"),
                            ("unchanged_both", "samples"),
                        )
                    },
                    "probability": end["probability"], "target_median": end["target_median"],
                    "other_median": end["other_median"],
                }
            )  # fmt: skip
        return frame_of(lines)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 4.1 says of the three kinds of directions, for each class and over classes, and a random one's control."""
        names, found = missing_names(table, self.params), with_points(table)
        claims = class_score_claims(found, self.params)
        return without(claims, names, found["target"].nunique(), lambda claim: claim.subset == "over classes")

    def plot(self, table: Frame) -> Figure:
        """For each kind of direction of a drawn class: scores, the transition into the class, and the directions as images."""
        from .figures.class_scores import class_scores

        return class_scores(with_points(table))
