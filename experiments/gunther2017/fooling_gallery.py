"""Figure 2 of gunther2017: from one random start to images that the network takes for this or that class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.lab.context import Context


@dataclass(frozen=True)
class FoolingRow:
    """The start (level 0), or the image that reached one level of one class, in whole grey levels as it is drawn."""

    target: int  # class that the image is to show; -1: the start
    target_name: str
    level: float  # probability to reach; 0: the start
    success: bool  # the attack reached the level
    status: str  # success, or why the level was not reached
    reached: float  # probability of the target in the image that the attack returned
    probability: float  # the same after rounding to whole grey levels; of the start: of its prediction
    prediction: int  # class of the rounded image
    prediction_name: str
    steps: int  # of the ascent
    l2: float  # distance to the start, of pixels in [0, 1]
    channels: int  # shape of the image
    height: int
    width: int
    pixels: str  # uint8 values in the order channel, row, column, as base64


class FoolingGallery(Experiment):
    """Fooling images of several classes and levels of confidence from one random start (gunther2017, figure 2).

    The start has independent whole grey levels, uniform on 0..255. From there the probability of each class ascends by
    gradients; the first points at or above 50, 90 and 99 % are the images F50, F90 and F99 of section 1.1.
    """

    name: ClassVar[str] = "fooling_gallery"
    paper: ClassVar[str] = "gunther2017, figure 2"
    title: ClassVar[str] = "Fooling images of several classes from one random start"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    gradients: ClassVar[bool] = True
    Row: ClassVar[type] = FoolingRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """What is drawn."""

        classes: list[int] = field(default_factory=lambda: [0, 1, 4, 8])  # figure 2: the digits 0, 1, 4 and 8
        levels: list[float] = field(default_factory=lambda: [0.5, 0.9, 0.99])  # section 1.1: F50, F90 and F99
        start: int = 0  # which random start; another number, another pattern

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if not self.classes or min(self.classes) < 0 or len(set(self.classes)) < len(self.classes):
                raise ValueError(f"classes must name classes from 0 on, each once, got {self.classes}")
            if not self.levels or not all(0 < level < 1 for level in self.levels):
                raise ValueError(f"levels must be probabilities between 0 and 1, got {self.levels}")
            if self.start < 0:
                raise ValueError(f"start must be 0 or more, got {self.start}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """None: there are twelve images."""
        return {}

    def check(self, settings: Any) -> None:
        """The attack makes fooling images.

        Raises:
            ConfigError: it is another one.
        """
        from advlab.attacks.ascent.fooling.params import Fooling
        from advlab.errors import ConfigError

        if not isinstance(settings.attack, Fooling):
            raise ConfigError(
                f"attack={settings.choice_name('attack')}: fooling_gallery makes fooling images: type attack=fooling"
            )
        self._check_classes(settings.dataset.class_count)

    def _check_classes(self, count: int) -> None:
        from advlab.errors import ConfigError

        if count and max(self.params.classes) >= count:
            raise ConfigError(
                f"experiment.classes={self.params.classes}: the dataset has the classes 0 to {count - 1}: name some of them"
            )

    def cells(self, ctx: Context) -> list[Cell]:
        """The start, and a class each."""
        assert ctx.data is not None
        self._check_classes(len(ctx.data.classes))
        return [Cell("start"), *(Cell(f"class-{k}", {"target": k}) for k in self.params.classes)]

    def cost(self, ctx: Context) -> Cost:
        """At most `attack.max_iter` forwards and backwards a class, and three more forwards a level."""
        count, steps = len(self.params.classes), ctx.settings.attack.max_iter
        return Cost(forwards=count * (steps + 1 + 3 * len(self.params.levels)) + 1, backwards=count * steps)

    def measure(self, ctx: Context, cell: Cell) -> list[FoolingRow]:
        """The start as the network sees it, or one ascent with its levels."""
        import torch

        from advlab.attacks.ascent.fooling.algorithm import fooling_levels, random_starts
        from advlab.attacks.norms import norms_of_each
        from advlab.attacks.status import Status

        assert ctx.data is not None
        start = random_starts(self.params.start + 1, ctx.data.shape, ctx.settings.run.seed)[-1:].to(ctx.device)
        if not cell.payload:
            return [self._row(ctx, start, -1, 0.0, True, "start", math.nan, 0, 0.0)]
        target = cell.payload["target"]
        targets = torch.tensor([target], device=ctx.device)
        found = ctx.in_batches(
            lambda batch: fooling_levels(
                ctx.settings.attack, ctx.attack_target, start, targets, levels=self.params.levels, batch_size=batch
            ),
            images=1,
        )
        last = found[max(found)]  # the ascent is one, and each level counts all of it
        ctx.count(forwards=last.forwards, backwards=last.backwards)
        rows = []
        for level in self.params.levels:
            result = found[level]
            assert ctx.forward is not None
            with torch.inference_mode():
                reached = float(torch.softmax(ctx.forward(result.adv).cpu().double(), 1)[0, target])
            rows.append(
                self._row(
                    ctx, result.adv, target, level, bool(result.success[0]), Status(int(result.status[0])).name.lower(),
                    reached, int(result.steps[0]), float(norms_of_each((result.adv - start).cpu().double(), "l2")),
                )
            )  # fmt: skip
        return rows

    def _row(
        self, ctx: Context, image: Tensor, target: int, level: float, success: bool, status: str, reached: float,
        steps: int, l2: float,
    ) -> FoolingRow:  # fmt: skip
        import torch

        from advlab.plotting.pixels import encode

        assert ctx.data is not None
        assert ctx.forward is not None
        names = ctx.data.classes
        grey = (image * 255).round()
        with torch.inference_mode():
            scores = torch.softmax(ctx.forward(grey / 255).cpu().double(), 1)[0]
        prediction = int(scores.argmax())
        channels, height, width = ctx.data.shape
        return FoolingRow(
            target=target, target_name=names[target] if target >= 0 else "", level=level, success=success, status=status,
            reached=reached, probability=float(scores[target] if target >= 0 else scores.max()),
            prediction=prediction, prediction_name=names[prediction], steps=steps, l2=l2,
            channels=channels, height=height, width=width, pixels=encode(grey[0].byte().cpu().numpy()),
        )  # fmt: skip

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """None: what the images look like is for the reader to judge."""
        return []

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """For each level, how many classes reached it, after how many steps, and what rounding to grey levels left."""
        import pandas as pd

        lines = []
        for (run, level), rows in table[table["level"] > 0].groupby(["run", "level"], sort=False):
            won = rows[rows["success"]]
            lines.append(
                {
                    "run": run, "level": level, "classes": len(rows), "reached": len(won),
                    "mean_steps": won["steps"].mean(), "mean_l2": won["l2"].mean(),
                    "least_probability": won["reached"].min(),
                    "least_in_grey_levels": won["probability"].min(),
                }
            )  # fmt: skip
        return pd.DataFrame(lines)

    def plot(self, table: pd.DataFrame) -> Figure:
        """The start on the left, a column for each class, a row for each level, and the probability below each."""
        from .figures.fooling_gallery import fooling_gallery

        return fooling_gallery(table)
