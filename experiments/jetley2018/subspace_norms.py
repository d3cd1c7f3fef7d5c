"""Figure 3, bottom row, of jetley2018: how much of adversarial perturbations lies in subspaces of curved and flat directions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage, frame_of
from advlab.statistics import Claim

from .chosen_basis import tiny_basis
from .missing_classes import of_known_classes
from .subspace_family import SubspaceParams, dimensions_of, kinds_of
from .subspace_norms_claims import norm_claims, rank_correlations

Perturbation = Literal["deepfool", "fgsm", "uap", "saliency", "random"]
PERTURBATIONS: tuple[Perturbation, ...] = ("deepfool", "fgsm", "uap", "saliency", "random")


@dataclass(frozen=True)
class SubspaceNormsRow:
    """The perturbations of one kind and group in one subspace."""

    #: pos, neg, neg+pos, flat, most, complement: what of each class spans it; hi, lo: singular vectors; random
    subspace: str
    d: int  # directions of each class; of neg+pos 2 d; hi, lo: d C of all together; random: the dimension over the classes
    draw: int  # of a random subspace; 0 of the others
    perturbation: str  # deepfool, fgsm, uap, saliency; random: a normal vector
    group: int  # true class of the perturbed images; of uap, which of the universal perturbations
    classes: int  # C, that directions are taken of
    rank: int  # dimension of the subspace
    dimension: int  # D, of the space of images
    perturbations: int  # of the group
    share: float  # mean ||Q'Q delta|| / ||delta|| over them; nan: there is none
    expected: float  # sqrt(rank / D), of a random vector
    accuracy_images: int  # test images, projected onto the subspace
    correct: int  # of them
    without: str = ""  # names of the classes that have no boundary points, and of which no directions are taken


class SubspaceNorms(Experiment[NetworkContext]):
    """Do perturbations lie where the network looks? Their share in the subspaces of section 4.2, beside the accuracy there.

    Perturbations: DeepFool's without clipping; FGSM, the signs of the loss's gradient, whose length and clipping do not enter;
    saliency, the signed gradient of the label's logit; universal ones, of training images; and normal vectors as their control,
    of which sqrt(rank / D) lies in any subspace. The unit is a group: the perturbations of the images of one class, or one
    universal perturbation.
    """

    name: ClassVar[str] = "subspace_norms"
    paper: ClassVar[str] = "jetley2018, figure 3, bottom"
    title: ClassVar[str] = "Share of adversarial perturbations in subspaces of curved, flat and random directions"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = SubspaceNormsRow
    summary_keys: ClassVar[tuple[str, ...]] = ("perturbation",)

    @dataclass(frozen=True, kw_only=True)
    class Params(SubspaceParams):
        """What is perturbed, and thresholds, which were fixed before anything was measured."""

        perturbations: list[Perturbation] = field(default_factory=lambda: list(PERTURBATIONS))
        samples: Annotated[int, Ge(1)] = 1000  # test images that are perturbed, the first of a seeded order
        test_images: Annotated[int, Ge(0)] = 10_000  # of the accuracy; 0: all
        universal: Annotated[int, Ge(1)] = 6  # universal perturbations, each of training images of its own
        universal_images: Annotated[int, Ge(1)] = 500  # of each
        #: "direct relationship between the fraction of adversarial norm [...] and [...] usefulness": rank correlation above
        correlation: Annotated[float, Gt(0), Lt(1)] = 0.8

        def __post_init__(self) -> None:
            """Refuse values out of range, and perturbations that are named twice or not at all.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.perturbations or len(set(self.perturbations)) < len(self.perturbations):
                raise ArgumentError(f"perturbations must name at least one, each once, got {self.perturbations}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 300 images, 50 boundary points, universal perturbations of 200; `tiny`: 20, 5, one of 20."""
        sizes: dict[str, dict[str, int]] = {
            "laptop": {"samples": 300, "test_images": 2000, "points": 50, "universal_images": 200},
            "tiny": {
                "samples": 20, "test_images": 100, "points": 5, "universal": 1, "universal_images": 20, "draws": 1
            },
        }  # fmt: skip
        return tiny_basis(preset) | {f"experiment.{name}": size for name, size in sizes.get(preset, {}).items()}

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The curvature bases of all classes, and the perturbations of each kind."""
        from .subspaces_measure import subspace_stages  # loads torch

        made = self.measurement().perturbation_stages(self, ctx)  # type: ignore[attr-defined]
        return [*subspace_stages(ctx, self.params), *made]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for each d."""
        from .subspaces_measure import needed_stages  # loads torch

        size, classes = ctx.values_per_image, len(ctx.data.classes)
        kinds_of(self.params, size)  # what was typed is there
        needed = (*needed_stages(ctx, self.params), *self.params.perturbations)
        return [Cell(f"d-{d:06d}", {"d": d}, needed) for d in dimensions_of(self.params, size, classes)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward of each test image in each subspace, for each d."""
        size = ctx.values_per_image
        spaces = len(kinds_of(self.params, size)) + self.params.draws - 1
        images = min(self.params.test_images or len(ctx.data), len(ctx.data))
        return Cost(forwards=len(dimensions_of(self.params, size, len(ctx.data.classes))) * spaces * images)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 4.3 says of where adversarial perturbations lie, and random vectors as their control."""
        return of_known_classes(norm_claims(table, self.params), table)

    def summary(self, table: Frame) -> Frame:
        """Of each perturbation: the rank correlation of its share with the accuracy, over d and subspaces, in groups."""
        return frame_of(
            [
                {"run": run, "perturbation": kind, **dataclasses.asdict(rank_correlations(rows))}
                for (run, kind), rows in table.groupby(["run", "perturbation"], sort=False)
            ]
        )

    def plot(self, table: Frame) -> Figure:
        """A panel for each perturbation: its mean share against d, a line for each subspace."""
        from .figures.subspace_norms import norm_curves

        return norm_curves(table)
