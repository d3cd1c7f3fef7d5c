"""Figure 3, top row, of jetley2018: accuracy on images projected onto subspaces of curved and of flat directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage, frame_of
from advlab.statistics import Claim

from .chosen_basis import tiny_basis
from .joined_intervals import counted_share
from .missing_classes import of_known_classes
from .subspace_accuracy_claims import accuracy_claims
from .subspace_family import SubspaceParams, dimensions_of, kinds_of


@dataclass(frozen=True)
class SubspaceAccuracyRow:
    """One subspace and one split: the predictions on its images, projected onto the subspace."""

    #: pos, neg, neg+pos, flat, most, complement: what of each class spans it; hi, lo: singular vectors; random
    subspace: str
    d: int  # directions of each class; of neg+pos 2 d; hi, lo: d C of all together; random: the dimension over the classes
    draw: int  # of a random subspace; 0 of the others
    split: str  # train or test
    classes: int  # C, that directions are taken of
    directions: int  # of all classes together
    rank: int  # dimension of the subspace
    dimension: int  # D, of the space of images
    curvature: float  # mean |eigenvalue| of the directions, of complement |v'Hv|, over classes; nan: of the others
    images: int  # of the split
    correct: int  # of them, projected
    correct_whole: int  # of them, as they are
    same: int  # of them: the prediction is that on the image as it is
    only_here: int  # of them: correct here, and not in the subspace pos of the same d; -1: there is none
    only_pos: int  # of them: correct in the subspace pos, and not here
    without: str = ""  # names of the classes that have no boundary points, and of which no directions are taken


class SubspaceAccuracy(Experiment[NetworkContext]):
    """Which directions decide? Images are projected onto subspaces, and the network classifies what is left (section 4.2).

    The subspaces are spanned by d directions of each class, by the mean curvature of the class's boundary (algorithm 1): the
    most positive (S_pos), the most negative (S_neg), both (2 d a class), the flattest (S_flat) and, beyond the paper, the most
    curved of either sign, and random ones of d C dimensions. The basis is of the directions' numerical rank, which is told.
    The bases are made of training images, and so is the mean, whose component outside of the subspace is added: of what a
    network would be given on mean-subtracted images that is the paper's Q Q' i itself.
    """

    name: ClassVar[str] = "subspace_accuracy"
    paper: ClassVar[str] = "jetley2018, figure 3, top"
    title: ClassVar[str] = "Accuracy on images projected onto curved, flat and random directions"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = SubspaceAccuracyRow
    summary_keys: ClassVar[tuple[str, ...]] = ("split", "subspace", "d")

    @dataclass(frozen=True, kw_only=True)
    class Params(SubspaceParams):
        """Images and thresholds, which were fixed before anything was measured; the paper takes all images."""

        train_images: Annotated[int, Ge(0)] = 10_000  # 0: all
        test_images: Annotated[int, Ge(0)] = 10_000  # 0: all
        #: "essentially does not matter whether positively or negatively": difference of accuracies below
        equal: Annotated[float, Gt(0), Lt(1)] = 0.05
        #: "classification decisions have effectively already been made": share of unchanged predictions above
        decided: Annotated[float, Gt(0), Lt(1)] = 0.9
        #: flat directions can be disregarded "without any noticeable change": the same share, with half of D, above
        unnoticed: Annotated[float, Gt(0), Lt(1)] = 0.95
        #: flat directions decide little: accuracy in S_flat below that in S_most by more than
        apart: Annotated[float, Gt(0), Lt(1)] = 0.5

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 2000 images of a split and 50 boundary points; `tiny`: 100 and 5, and a single random subspace."""
        sizes = {"tiny": (100, 5, 1), "laptop": (2000, 50, 3)}.get(preset)
        if sizes is None:
            return {}
        names = ("train_images", "test_images", "points", "draws")
        keys = [f"experiment.{name}" for name in names]
        return tiny_basis(preset) | dict(zip(keys, (sizes[0], *sizes), strict=True))

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The curvature bases of all classes, and the mean training image."""
        from .subspaces_measure import subspace_stages  # loads torch

        return subspace_stages(ctx, self.params)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for each d."""
        from .subspaces_measure import needed_stages  # loads torch

        size, classes = ctx.values_per_image, len(ctx.data.classes)
        kinds_of(self.params, size)  # what was typed is there
        needed = needed_stages(ctx, self.params)
        return [Cell(f"d-{d:06d}", {"d": d}, needed) for d in dimensions_of(self.params, size, classes)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward of each image as it is and in each subspace, for each d."""
        size = ctx.values_per_image
        spaces = len(kinds_of(self.params, size)) + self.params.draws
        images = (self.params.train_images or len(ctx.data)) + min(
            self.params.test_images or len(ctx.data), len(ctx.data)
        )
        return Cost(forwards=len(dimensions_of(self.params, size, len(ctx.data.classes))) * spaces * images)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 4.2 says of curved and flat directions, and random subspaces as their control."""
        return of_known_classes(accuracy_claims(table, self.params), table)

    def summary(self, table: Frame) -> Frame:
        """Rank and accuracy, with its interval, of each subspace, and the share of unchanged predictions."""
        keys = ["run", "split", "subspace", "d"]
        lines = []
        for values, rows in table.groupby(keys, sort=False):
            first = rows.iloc[0]
            accuracy = counted_share(rows["correct"].mean(), int(first["images"]))
            lines.append(
                {
                    **dict(zip(keys, values, strict=True)), "rank": int(first["rank"]), "directions": int(first["directions"]),
                    "curvature": first["curvature"], "accuracy": accuracy.estimate,
                    "low": accuracy.low, "high": accuracy.high, "same": (rows["same"] / rows["images"]).mean(),
                    "whole": first["correct_whole"] / first["images"],
                }
            )  # fmt: skip
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Training and test accuracy against d, a line for each subspace."""
        from .figures.subspace_accuracy import accuracy_curves

        return accuracy_curves(table)
