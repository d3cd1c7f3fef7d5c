"""Figure 5 of jetley2018: DeepFool confined to subspaces of singular vectors of DeepFool perturbations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage
from advlab.statistics import Claim

from .confined_deepfool_claims import summarised, verdicts
from .deepfool_svd import SUBSPACES
from .singular_dimensions import dimensions
from .singular_stages import SingularParams, authors_deepfool, singular_id, singular_stage

WHOLE = "whole"  # the subspace of plain DeepFool, which nothing confines


@dataclass(frozen=True)
class ConfinedRow:
    """DeepFool on one image, confined to one subspace. Norms are L2, of pixels in [0, 1]."""

    subspace: str  # hi: directions of the largest singular values; lo: of the smallest; random; whole: plain DeepFool
    d: int  # directions of the subspace; of whole the values of an image
    sample: int  # index in the split
    rank: int  # numerical rank of the perturbations: directions that there are
    dimensions: int  # D, of the space of images, resampled ones if any are
    perturbations: int  # that the directions are made of
    predicted: int  # class that is to be left
    outcome: str  # success, capped (longer than `cap`), or why DeepFool ended: max_iter, zero_gradient, nonfinite, lost
    l2: float  # of the perturbation; NaN without success
    steps: int  # of DeepFool
    outside: float  # share of the perturbation's norm outside the subspace; NaN without success or subspace
    projected: float  # norm of the image minus the training mean, projected onto the subspace
    channels: int  # shape of the image
    height: int
    width: int
    perturbation: str  # of drawn images: 0 as grey, the largest change as black or white; uint8 values as base64
    projection: str  # of drawn images: the projection plus the mean, cut to [0, 1]; likewise


class ConfinedDeepFool(Experiment[NetworkContext]):
    """DeepFool's norms when every step lies in the span of the d first or last singular directions (figure 5).

    The gradients of the linearised problem are projected before their norms are taken, as in the authors' code. Near-zero
    projected gradients make steps explode: a success longer than `cap` times the diagonal of the cube of all images, sqrt(D), is
    counted as capped, apart from failures; medians take both as infinite, means leave both out.
    """

    name: ClassVar[str] = "confined_deepfool"
    paper: ClassVar[str] = "jetley2018, figure 5"
    title: ClassVar[str] = "DeepFool confined to singular directions, against the norms of projected images"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = ConfinedRow
    summary_keys: ClassVar[tuple[str, ...]] = ("subspace", "d")

    @dataclass(frozen=True, kw_only=True)
    class Params(SingularParams):
        """The images, the directions, what a cap is, and the thresholds of the claims, fixed before anything was measured."""

        samples: Annotated[int, Ge(1)] = 1000  # images attacked
        dims: list[Annotated[int, Ge(1)]] = field(default_factory=list)  # d; empty: tenths of the dimensions, and few
        pictures: Annotated[int, Ge(0), Le(3)] = 1  # images drawn at five of the numbers of directions
        cap: Annotated[float, Gt(0)] = 1.0  # longest perturbation that counts, in units of sqrt(D): the cube's diagonal
        smaller: Annotated[float, Gt(0)] = 1.0  # median ratio of the norms on S_lo and S_hi, above
        inverse: Annotated[
            float, Gt(-1), Lt(0)
        ] = -0.8  # Spearman of an image's confined and projected norms over subspaces, median over images below

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 4000 perturbations, 60 images; `tiny`: 60 and 6, three numbers of directions."""
        keys = ("experiment.perturbations", "experiment.samples", "experiment.dims")
        sizes = {"tiny": (60, 6, [5, 20, 40]), "laptop": (4000, 60, [])}
        return dict(zip(keys, sizes[preset], strict=True)) if preset in sizes else {}

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The attacked samples, and the largest number of directions that the perturbations can have."""
        return self.measurement().prepare(self, ctx)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The singular directions."""
        return [singular_stage(ctx, self.params)]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for each subspace and number of directions, for all directions, and for plain DeepFool."""
        ladder, stages = self.ladder(ctx), (singular_id(self.params.source),)
        drawn = [ladder[round(k * (len(ladder) - 1) / 4)] for k in range(5)] if ladder else []
        pairs = [(name, d) for d in ladder for name in SUBSPACES]
        cells = [
            Cell(f"{name}-{d:06d}", {"subspace": name, "d": d, "drawn": d in drawn}, stages=stages) for name, d in pairs
        ]
        last = (("hi", "all"), (WHOLE, WHOLE))
        return cells + [Cell(id, {"subspace": name, "d": 0, "drawn": False}, stages=stages) for name, id in last]

    def ladder(self, ctx: NetworkContext) -> list[int]:
        """The numbers of directions below all of them."""
        return dimensions(self.params.dims, ctx.prepared["limit"])

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: what DeepFool takes, but all its steps in subspaces in which it fails, a third of them."""
        forwards, backwards = authors_deepfool(self.params.candidates).estimated_cost(len(ctx.data.classes))
        attacks = len(ctx.prepared["samples"]) * (3 * len(self.ladder(ctx)) + 2)
        return Cost(forwards=attacks * (forwards + 60), backwards=attacks * (backwards + 30))

    def claims(self, table: Frame) -> list[Claim]:
        """Section 4.3's and the caption's statements."""
        return verdicts(table, smaller=self.params.smaller, inverse=self.params.inverse)

    def summary(self, table: Frame) -> Frame:
        """Success, capped, median and mean norm, and the projected images' norm, of each subspace."""
        return summarised(table)

    def plot(self, table: Frame) -> Figure:
        """Norms of perturbations and projected images against d, and sample images."""
        from .figures.confined_deepfool import confined_norms

        return confined_norms(table, self.summary(table))
