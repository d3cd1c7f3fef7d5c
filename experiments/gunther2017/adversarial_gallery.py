"""Figure 3 of gunther2017: images with their FGS, FGV and HC-1 adversarial images, all three of one class a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from advlab.attacks import FGS, FGV, Attack, HotCold
from advlab.attacks.versions import attack_versions, check_attack_versions
from advlab.lab import Cell, Context, Cost, Experiment, Figure, Frame
from advlab.statistics import Claim

ORIGINAL = "original"
TYPICAL_FORWARDS = 20  # of the search of one attack on one image, for the estimate of the cost


@dataclass(frozen=True)
class GalleryRow:
    """One image of the gallery, in whole grey levels as it is drawn, classified again from them."""

    column: int  # place in the figure, from the left
    sample: int  # index in the split
    image: str  # original, FGS, FGV or HC-1
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


class AdversarialGallery(Experiment):
    """Originals and their adversarial images by FGS, FGV and Hot/Cold-1 (gunther2017, figure 3; figure 1 on ImageNet).

    Each column is one image whose three adversarial images, of whole grey levels and with the smallest weight that flips
    the class, are classified alike; one column for each true class, as many as there are. The images are tried in a
    seeded order, and for each class the first that qualifies is taken.
    """

    name: ClassVar[str] = "adversarial_gallery"
    paper: ClassVar[str] = "gunther2017, figure 3"
    title: ClassVar[str] = "Adversarial images of three kinds that are classified alike"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    gradients: ClassVar[bool] = True
    Row: ClassVar[type] = GalleryRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """Size of the gallery and of the search for it."""

        columns: int = 10  # images, one for each true class; the paper's are the ten digits
        candidates: int = 300  # images that are tried, at most

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.columns < 1 or self.candidates < self.columns:
                raise ValueError(
                    f"columns must be at least 1 and candidates at least columns, got {self.columns} and {self.candidates}"
                )

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: 3 columns of 30 candidates."""
        return {"tiny": {"experiment.columns": 3, "experiment.candidates": 30}}.get(preset, {})

    def attacks(self) -> dict[str, Attack]:
        """The three kinds of section 1.2: the smallest weight that flips the class, in whole grey levels (Rozsa et al. 2016)."""
        return {"FGS": FGS(discrete=True), "FGV": FGV(discrete=True), "HC-1": HotCold(hot=1, discrete=True)}

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples of the columns, ordered by class, and the versions of the attacks."""
        return self.measurement().prepare(self, ctx) | attack_versions(self.attacks())

    def measure(self, ctx: Context, cell: Cell) -> list[GalleryRow]:
        """The images of one column.

        Raises:
            ResultError: the run was begun with another version of an attack.
        """
        check_attack_versions(ctx.prepared, self.attacks())
        return super().measure(ctx, cell)

    def cells(self, ctx: Context) -> list[Cell]:
        """A column each."""
        return [
            Cell(f"column-{n:03d}-{sample}", {"column": n, "sample": sample})
            for n, sample in enumerate(ctx.prepared["samples"])
        ]

    def cost(self, ctx: Context) -> Cost:
        """An estimate: three candidates a column, three attacks each with one gradient and a search of some 20 forwards."""
        # three candidates a column are searched, and each column is attacked again when it is measured
        attacked = 4 * len(ctx.prepared["samples"]) * len(self.attacks())
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
