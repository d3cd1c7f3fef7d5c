"""Figure 4 of jetley2018: accuracy on images that are projected onto singular vectors of DeepFool perturbations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage
from advlab.statistics import Claim

from .deepfool_svd_claims import summarised, verdicts
from .singular_dimensions import dimensions
from .singular_stages import SingularParams, singular_id, singular_stage

SUBSPACES = ("hi", "lo", "random")  # S_hi, S_lo, and as many random directions


@dataclass(frozen=True)
class DeepFoolSvdRow:
    """The network on images projected onto one subspace. Images that nothing is projected of are resampled ones, if any are."""

    subspace: str  # hi: directions of the largest singular values; lo: of the smallest; random
    d: int  # directions of the subspace
    dimensions: int  # D, of the space of images, resampled ones if any are
    rank: int  # numerical rank of the perturbations: directions that there are
    perturbations: int  # that the directions are made of
    images: int  # that are measured
    correct: int  # of them classified correctly when they are projected
    kept: int  # classified correctly both when they are projected and when they are not
    only_here: int  # classified correctly on this subspace and not on as many directions of hi
    only_hi: int  # the reverse
    whole: int  # classified correctly without projection, but resampled
    unchanged: int  # classified correctly as they are; equals `whole` where nothing is resampled
    energy: float  # share of the perturbations' squared norms in the subspace, in [0, 1]; of random NaN


class DeepFoolSvd(Experiment[NetworkContext]):
    """Accuracy on images projected onto the d first or last singular vectors of stacked DeepFool perturbations (figure 4).

    The perturbations are those of training images, so that no direction is made of an image that is measured. Projected onto
    all directions, of which more perturbations than dimensions make a basis of the whole space, images are as they were (or, with
    `resampled_to`, as they are resampled).
    """

    name: ClassVar[str] = "deepfool_svd"
    paper: ClassVar[str] = "jetley2018, figure 4"
    title: ClassVar[str] = "Accuracy on images projected onto singular vectors of DeepFool perturbations"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = DeepFoolSvdRow
    version: ClassVar[int] = 2  # 2: of a quarter of the directions as well
    summary_keys: ClassVar[tuple[str, ...]] = ("d",)

    @dataclass(frozen=True, kw_only=True)
    class Params(SingularParams):
        """The images, the directions, and the thresholds of the claims, fixed before anything was measured."""

        samples: Annotated[int, Ge(1)] = 10000  # images measured
        dims: list[Annotated[int, Ge(1)]] = field(
            default_factory=list
        )  # d; empty: tenths and a quarter of the dimensions, and few
        centred: bool = True  # the training mean's orthogonal component is added (the authors' code; footnote 5)
        above: Annotated[float, Gt(0), Lt(1)] = (
            0.5  # of images right on one of two subspaces alone, share right on S_hi
        )
        lost: Annotated[float, Gt(0), Lt(1)] = 0.02  # share of the right images that saturated subspaces get wrong
        early: Annotated[float, Gt(0), Lt(1)] = (
            0.9  # share of the right images that S_hi of a quarter of the directions keeps
        )
        late: Annotated[float, Gt(0), Lt(1)] = 0.5  # share of the right images that S_lo of as many keeps

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 4000 perturbations, 1000 images; `tiny`: 60 and 40, three numbers of directions."""
        keys = ("experiment.perturbations", "experiment.samples", "experiment.dims")
        sizes = {"tiny": (60, 40, [5, 20, 40]), "laptop": (4000, 1000, [])}
        return dict(zip(keys, sizes[preset], strict=True)) if preset in sizes else {}

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The measured samples, and the largest number of directions that the perturbations can have."""
        return self.measurement().prepare(self, ctx)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The singular directions."""
        return [singular_stage(ctx, self.params)]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for each number of directions, and one for all of them."""
        limit = ctx.prepared["limit"]
        ladder = dimensions(self.params.dims, limit)
        if not self.params.dims:  # two claims are about a quarter of all directions
            ladder = sorted({*ladder, round(limit / 4)} - {0, limit})
        stages = (singular_id(self.params.source),)
        return [Cell(f"d-{d:06d}" if d else "all", {"d": d}, stages=stages) for d in (*ladder, 0)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """Of each image and number of directions a forward on each subspace, and those without projection."""
        unprojected = 2 if self.params.resampled_to else 1
        return Cost(forwards=len(ctx.prepared["samples"]) * (len(SUBSPACES) + unprojected) * len(self.cells(ctx)))

    def claims(self, table: Frame) -> list[Claim]:
        """The caption's and section 4.3's statements."""
        params = self.params
        return verdicts(table, above=params.above, early=params.early, late=params.late, lost=params.lost)

    def summary(self, table: Frame) -> Frame:
        """Accuracy on each subspace, a line for each number of directions."""
        return summarised(table)

    def plot(self, table: Frame) -> Figure:
        """Accuracy against d, with the accuracy that it saturates at."""
        from .figures.deepfool_svd import accuracies

        return accuracies(table)
