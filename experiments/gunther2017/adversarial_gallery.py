"""Figure 3 of gunther2017: images with their FGS, FGV and HC-1 adversarial images, all three of one class a column."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.attacks import Attack
    from advlab.lab.context import Context

log = logging.getLogger(__name__)

ORIGINAL = "original"
TYPICAL_FORWARDS = 20  # of one attack, for the dry plan


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

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples of the columns, ordered by class."""
        from advlab.probes.selection import order

        assert ctx.data is not None
        candidates = [int(i) for i in order(ctx.data, ctx.settings.run.seed)][: self.params.candidates]
        columns = min(self.params.columns, len(ctx.data.classes))
        if ctx.settings.run.dry:
            return {"samples": candidates[:columns]}
        chosen: dict[int, int] = {}
        for sample in candidates:
            label = int(ctx.data.labels[sample])
            if label not in chosen and self._alike(ctx, sample, label):
                chosen[label] = sample
                ctx.report_progress("columns", len(chosen), columns)
            if len(chosen) == columns:
                break
        if not chosen:
            from advlab.errors import MeasurementError

            raise MeasurementError(
                f"none of {len(candidates)} images has adversarial images of all three kinds in one class: raise "
                "experiment.candidates, or choose a model that classifies some of them correctly"
            )
        if len(chosen) < columns:
            ctx.report_progress("columns", columns, columns)
            log.warning(
                "only %d of %d columns: for the other classes none of the %d candidates has adversarial images of all three "
                "kinds in one class; experiment.candidates tries more", len(chosen), columns, len(candidates),
            )  # fmt: skip
        return {"samples": [chosen[label] for label in sorted(chosen)]}

    def _alike(self, ctx: Context, sample: int, label: int) -> bool:
        """Whether it is classified correctly, and all three attacks lead to one other class."""
        found: set[int] = set()
        if self._attacked(ctx, sample, None)[1] != label:
            return False
        for attack in attacks().values():
            _, prediction, _ = self._attacked(ctx, sample, attack)
            found.add(prediction)
            if prediction == label or len(found) > 1:
                return False
        return True

    def _attacked(self, ctx: Context, sample: int, attack: Attack | None) -> tuple[Tensor, int, float]:
        """The image (1, C, H, W) in whole grey levels, its class and that class's probability; `None`: the original."""
        import torch

        data, forward = ctx.data, ctx.forward
        assert data is not None
        assert forward is not None
        index = torch.tensor([sample])
        image = data.images(index)
        if attack is not None:
            image = ctx.attack(attack, image, data.labels[index.to(data.device)]).adv
        image = (image * 255).round() / 255  # as it is stored; a discrete attack's image is so already
        with torch.inference_mode():
            scores = torch.softmax(forward(image).cpu().double(), 1)[0]
        return image, int(scores.argmax()), float(scores.max())

    def cells(self, ctx: Context) -> list[Cell]:
        """A column each."""
        return [
            Cell(f"column-{n:03d}-{sample}", {"column": n, "sample": sample})
            for n, sample in enumerate(ctx.prepared["samples"])
        ]

    def cost(self, ctx: Context) -> Cost:
        """An estimate: three candidates a column, three attacks each with one gradient and a search of some 20 forwards."""
        tried = 4 * len(ctx.prepared["samples"]) * len(attacks())
        return Cost(forwards=tried * TYPICAL_FORWARDS, backwards=tried)

    def measure(self, ctx: Context, cell: Cell) -> list[GalleryRow]:
        """The original and its adversarial images."""
        from advlab.attacks.norms import norms_of_each
        from advlab.metrics.pass_score import pass_score
        from advlab.plotting.pixels import encode

        data, sample = ctx.data, cell.payload["sample"]
        assert data is not None
        label = int(data.labels[sample])
        original, *_ = self._attacked(ctx, sample, None)
        kinds: dict[str, Attack | None] = {ORIGINAL: None, **attacks()}
        rows = []
        for kind, attack in kinds.items():
            image, prediction, probability = self._attacked(ctx, sample, attack)
            moved = (image - original).cpu().double()
            channels, height, width = data.shape
            rows.append(
                GalleryRow(
                    column=cell.payload["column"], sample=sample, image=kind, label=label, label_name=data.classes[label],
                    prediction=prediction, prediction_name=data.classes[prediction], probability=probability,
                    l2=float(norms_of_each(moved, "l2")), linf=float(norms_of_each(moved, "linf")),
                    pass_score=float(pass_score(original, image)), channels=channels, height=height, width=width,
                    pixels=encode((image[0] * 255).round().byte().cpu().numpy()),
                )
            )  # fmt: skip
        return rows

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """None: the figure shows, the paper states nothing that it could decide."""
        return []

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Columns, and for each kind the mean size and similarity."""
        adversarial = table[table["image"] != ORIGINAL]
        sizes = adversarial.groupby(["run", "image"], sort=False)[["l2", "linf", "pass_score"]].mean()
        sizes.insert(0, "images", adversarial.groupby(["run", "image"], sort=False).size())
        return sizes.reset_index()

    def plot(self, table: pd.DataFrame) -> Figure:
        """The originals above, the three kinds below them, and the common adversarial class under each column."""
        from .figures.adversarial_gallery import adversarial_gallery

        return adversarial_gallery(table)


def attacks() -> dict[str, Attack]:
    """The three kinds of section 1.2: the smallest weight that flips the class, in whole grey levels (Rozsa et al. 2016)."""
    from advlab.attacks import FGS, FGV, HotCold

    return {"FGS": FGS(discrete=True), "FGV": FGV(discrete=True), "HC-1": HotCold(hot=1, discrete=True)}
