"""Table 2 of gunther2017: adversarial images that simple preprocessing makes right again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.defenses.combined import Integers
from advlab.errors import ArgumentError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, Settings, Stage
from advlab.statistics import Claim

from .adversarial_gallery import PAPER_NAMES
from .adversarial_stages import CLEAN, Arithmetic, Variant, check_attacks, refuse_doubled, variants

TABLE_2 = ("none", "noise", "blur", "shift", "combined", "crops")  # the paper's columns
NORMS = "minimal-norms"  # the stage
DEEPFOOL_COST = (30, 40)  # forwards and backwards of a refined DeepFool on one image, about


@dataclass(frozen=True)
class PreprocessingRow:
    """One image, clean or adversarial, behind one defense."""

    images: str  # clean, or the attack: FGS, FGV, HC-1, others as they are typed
    arithmetic: str  # of the loss's gradient: exact or float32; empty where the attack follows none
    defense: str  # as it is typed; what it gives is then converted to whole grey levels (experiment.integers)
    sample: int  # index in the split
    label: int  # true class
    plain: int  # class without the defense; of adversarial images never the label
    prediction: int  # class behind the defense; the number of classes where the image is rejected
    #: L2 norm, of pixels in [0, 1], of the perturbation; of clean images that of the smallest one that makes a natural error
    #: right, or a right image wrong (refined DeepFool; nan: none was found or sought)
    l2: float


class Preprocessing(Experiment[NetworkContext]):
    """Share of adversarial images that are classified correctly after preprocessing (gunther2017, section 2.2, table 2).

    Each attack runs once on the network without a defense, with the smallest weight that flips the class; what it fools goes
    through each defense, which it does not know, and is then rounded to whole grey levels as in the paper. Attacks along the
    gradient of the loss run in exact arithmetic and in the paper's. The clean images go the same way: their accuracy, and
    which natural errors become right. Rates are over the adversarial images that were found. How far they come from the
    images being minimal, and what an attack does that knows the defense, is `preprocessing_strength`.
    """

    name: ClassVar[str] = "preprocessing"
    paper: ClassVar[str] = "gunther2017, table 2"
    title: ClassVar[str] = "Adversarial images that preprocessing makes right again"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = PreprocessingRow
    summary_keys: ClassVar[tuple[str, ...]] = ("images", "arithmetic", "defense")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Images, attacks and defenses of table 2; the thresholds were fixed before anything was measured."""

        attacks: Annotated[list[str], ChoicesOf("attack")] = field(default_factory=lambda: list(PAPER_NAMES))
        #: the paper's six, and two of Graese et al. 2016 (section 2.2)
        defenses: Annotated[list[str], ChoicesOf("defense")] = field(
            default_factory=lambda: [*TABLE_2, "binarize", "rescale_crops"]
        )
        samples: Annotated[int, Ge(1)] = 10_000  # images, the first of a seeded order; all test images of MNIST
        arithmetic: list[Arithmetic] = field(default_factory=lambda: ["exact", "float32"])
        integers: Integers = "nearest"  # how results become whole grey levels; the paper does not say whether it rounds
        controls: Annotated[int, Ge(0)] = (
            500  # correct images whose minimal norm is measured beside the natural errors'
        )
        crops_least: Annotated[float, Gt(0), Lt(1)] = 0.85  # "eradicate 90%" by crops: share corrected above
        crops_most: Annotated[float, Gt(0), Lt(1)] = 0.95  # and below
        combined_more: Annotated[float, Ge(0), Lt(1)] = 0.02  # "did not improve mitigation further": by less
        clean_loss: Annotated[float, Gt(0), Lt(1)] = 0.01  # accuracy lost by noise and by crops: below

        def __post_init__(self) -> None:
            """Refuse values out of range, empty lists, and an arithmetic that is named twice.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            for name in ("attacks", "defenses", "arithmetic"):
                if not getattr(self, name):
                    raise ArgumentError(f"{name} must name at least one")
            refuse_doubled(self, "arithmetic")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 1000 images, 200 of them with minimal norms; `tiny`: 20 and 5."""
        sizes = {"tiny": (20, 5), "laptop": (1000, 200)}.get(preset)
        return {"experiment.samples": sizes[0], "experiment.controls": sizes[1]} if sizes else {}

    def check(self, settings: Settings) -> None:
        """Every attack works on single images, towards any class.

        Raises:
            ConfigError: otherwise.
        """
        check_attacks(settings, self.name)

    def kinds(self, ctx: NetworkContext) -> list[Variant]:
        """The attacks in each arithmetic."""
        return variants(ctx.listed("attacks"), self.params.arithmetic)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The adversarial images of each attack, and the minimal norms of clean images."""
        return self.measurement().stages(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a kind of images and defense."""
        kinds = [(CLEAN, "", NORMS), *((kind.images, kind.arithmetic, kind.id) for kind in self.kinds(ctx))]
        return [
            Cell(
                f"{CLEAN if images == CLEAN else stage}-{defense}",
                {"images": images, "arithmetic": arithmetic, "defense": defense, "stage": stage},
                stages=(stage,),
            )
            for images, arithmetic, stage in kinds
            for defense in self.params.defenses
        ]

    def cost(self, ctx: NetworkContext) -> Cost:
        """Two forwards an image and cell, those of five crops counted once; the stages name their own."""
        cells = len(self.params.defenses) * (1 + len(self.kinds(ctx)))
        return Cost(forwards=2 * cells * len(ctx.order(self.params.samples)))

    def claims(self, table: Frame) -> list[Claim]:
        """What section 2.2 says of each defense and attack."""
        from .preprocessing_claims import claims_of_table_2

        return claims_of_table_2(self.params, table)

    def summary(self, table: Frame) -> Frame:
        """A line for each kind of images and defense: the share that is right behind it with its interval, and norms."""
        from .preprocessing_claims import correction_rates

        return correction_rates(table)

    def plot(self, table: Frame) -> Figure:
        """The shares corrected by each defense, a colour for each attack, and the accuracy beside them."""
        from .figures.preprocessing import corrected_by_defense

        return corrected_by_defense(self.summary(table))
