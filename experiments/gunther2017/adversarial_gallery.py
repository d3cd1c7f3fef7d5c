"""Figure 3 of gunther2017: images with their FGS, FGV and HC-1 adversarial images, all three of one class a column."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from advlab.attacks import Attack
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, Settings
from advlab.statistics import Claim

from .gallery_verdict import check_one, check_verdicts

ORIGINAL = "original"
PAPER_NAMES = {"fgs": "FGS", "fgv": "FGV", "hc1": "HC-1"}  # choices of the group attack -> names in the figure
TYPICAL_FORWARDS = 20  # of the search of one attack on one image, for the estimate of the cost


@dataclass(frozen=True)
class GalleryRow:
    """One image of the gallery, in whole grey levels as it is drawn, classified again from them."""

    column: int  # place in the figure, from the left
    sample: int  # index in the split
    image: str  # original, or the attack: FGS, FGV, HC-1, others as they are typed
    label: int  # true class
    label_name: str
    prediction: int  # class of the image as it is drawn
    prediction_name: str
    probability: float  # of that class (softmax)
    l2: float  # norms of the perturbation, of pixels in [0, 1]
    linf: float
    pass_score: float  # perceptual similarity to the original, 1 for equal images
    channels: int  # shape of the image
    height: int
    width: int
    pixels: str  # uint8 values in the order channel, row, column, as base64
    verdict: str = ""  # whose verdict the next three are: a defense of `verdicts`, or the run's own; empty: nobody's
    verdict_class: int = -1  # of the image as it is drawn, behind that defense; the number of classes: rejected
    verdict_name: str = ""  # unknown where it is rejected
    verdict_probability: float = math.nan  # of that class, a rejection among them (softmax)


class AdversarialGallery(Experiment[NetworkContext]):
    """Originals and their adversarial images by FGS, FGV and Hot/Cold-1 (gunther2017, figure 3; figure 1 on ImageNet).

    Each column is one image whose three adversarial images, of whole grey levels and with the smallest weight that flips
    the class, are classified alike; one column for each true class, as many as there are. The images are tried in a
    seeded order, and for each class the first that qualifies is taken.
    """

    name: ClassVar[str] = "adversarial_gallery"
    paper: ClassVar[str] = "gunther2017, figure 3"
    title: ClassVar[str] = "Adversarial images of several kinds that are classified alike"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = GalleryRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Size of the gallery and of the search for it."""

        #: the kinds
        attacks: Annotated[list[str], ChoicesOf("attack")] = field(default_factory=lambda: list(PAPER_NAMES))
        columns: Annotated[int, Ge(1)] = 10  # images, one for each true class; the paper's are the ten digits
        candidates: Annotated[int, Ge(1)] = 300  # images that are tried, at most
        #: whose verdict stands below each image, such as openmax; one, or none. A run's own defense that rejects says it itself
        verdicts: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=list)

        def __post_init__(self) -> None:
            """Refuse values out of range, fewer candidates than columns, and several verdicts.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if self.candidates < self.columns:
                raise ArgumentError(f"candidates must be at least columns, got {self.candidates} and {self.columns}")
            check_one(self.verdicts)

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: 3 columns of 30 candidates."""
        return {"tiny": {"experiment.columns": 3, "experiment.candidates": 30}}.get(preset, {})

    def check(self, settings: Settings) -> None:
        """Every attack finds an adversarial image of its own for each image, towards any class.

        Raises:
            ConfigError: otherwise.
        """
        check_verdicts(settings)
        for name, listed in settings.lists["attacks"].items():
            attack = listed.component
            if not isinstance(attack, Attack) or attack.targeted == "always" or attack.set_level:
                raise ConfigError(
                    f"experiment.attacks={name}: the gallery needs attacks on single images towards any class: type "
                    "experiment.attacks=[fgs,fgv,hc1]"
                )

    def attacks(self, ctx: NetworkContext) -> dict[str, Attack]:
        """The kinds by the paper's names (section 1.2): by default three that look for the smallest weight that flips the
        class, in whole grey levels (Rozsa et al. 2016).
        """
        return {PAPER_NAMES.get(name, name): attack for name, attack in ctx.listed("attacks").items()}

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The samples of the columns, ordered by class."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """A column each."""
        return [
            Cell(f"column-{n:03d}-{sample}", {"column": n, "sample": sample})
            for n, sample in enumerate(ctx.prepared["samples"])
        ]

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: three candidates a column, each attacked in each way with one gradient and a search of some 20 forwards."""
        # three candidates a column are searched, and each column is attacked again when it is measured
        attacked = 4 * len(ctx.prepared["samples"]) * len(self.params.attacks)
        return Cost(forwards=attacked * TYPICAL_FORWARDS, backwards=attacked)

    def claims(self, table: Frame) -> list[Claim]:
        """None: the figure shows, the paper states nothing that it could decide."""
        return []

    def summary(self, table: Frame) -> Frame:
        """Columns, and for each kind the mean size and similarity."""
        adversarial = table[table["image"] != ORIGINAL]
        sizes = adversarial.groupby(["run", "image"], sort=False)[["l2", "linf", "pass_score"]].mean()
        sizes.insert(0, "images", adversarial.groupby(["run", "image"], sort=False).size())
        return sizes.reset_index()

    def plot(self, table: Frame) -> Figure:
        """The originals above, the three kinds below them, and the common adversarial class under each column."""
        from .figures.adversarial_gallery import adversarial_gallery

        return adversarial_gallery(table)
