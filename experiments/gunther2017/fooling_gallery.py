"""Figure 2 of gunther2017: from one random start to images that the network takes for this or that class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.attacks import Fooling
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, Settings, frame_of
from advlab.statistics import Claim

from .gallery_verdict import check_one, check_verdicts


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
    start: int = 0  # which random start
    redrawn: int = 0  # starts before it that were at the lowest level of a class already
    start_class: int = -1  # class of the start; -1: not known
    start_probability: float = math.nan  # probability of the target in the start; in the start's own row: of its class
    verdict: str = ""  # whose verdict the next three are: a defense of `verdicts`, or the run's own; empty: nobody's
    verdict_class: int = -1  # of the image as it is drawn, behind that defense; the number of classes: rejected
    verdict_name: str = ""  # unknown where it is rejected
    verdict_probability: float = math.nan  # of that class, a rejection among them (softmax)


class FoolingGallery(Experiment[NetworkContext]):
    """Fooling images of several classes and levels of confidence from one random start (gunther2017, figure 2).

    The start has independent whole grey levels, uniform on 0..255. From there the probability of each class ascends by
    gradients; its first points at 50, 90 and 99 % (and at most `attack.width` above) are the images F50, F90 and F99 of
    section 1.1. A start that is at the lowest level of one of the classes already shows nothing: it is drawn again, and
    counted. Where all draws are such starts, the first is taken, and those classes are said to have no image.
    """

    name: ClassVar[str] = "fooling_gallery"
    paper: ClassVar[str] = "gunther2017, figure 2"
    title: ClassVar[str] = "Fooling images of several classes from one random start"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    Row: ClassVar[type] = FoolingRow
    version: ClassVar[int] = 2
    summary_keys: ClassVar[tuple[str, ...]] = ("level",)

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is drawn."""

        #: figure 2: the digits 0, 1, 4 and 8
        classes: list[Annotated[int, Ge(0)]] = field(default_factory=lambda: [0, 1, 4, 8])
        #: section 1.1: F50, F90 and F99
        levels: list[Annotated[float, Gt(0), Lt(1)]] = field(default_factory=lambda: [0.5, 0.9, 0.99])
        start: Annotated[int, Ge(0)] = (
            0  # which random start is the first that is drawn; another number, another pattern
        )
        draws: Annotated[int, Ge(1)] = 100  # starts that are drawn at most, until none of the classes is there already
        #: whose verdict stands below each image, such as openmax; one, or none. A run's own defense that rejects says it itself
        verdicts: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=list)

        def __post_init__(self) -> None:
            """Refuse values out of range, no level, classes that are named twice, and several verdicts.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.classes or len(set(self.classes)) < len(self.classes):
                raise ArgumentError(f"classes must name classes from 0 on, each once, got {self.classes}")
            if not self.levels:
                raise ArgumentError("levels must be probabilities, at least one, got none")
            check_one(self.verdicts)

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """None: there are twelve images."""
        return {}

    def check(self, settings: Settings) -> None:
        """The attack makes fooling images.

        Raises:
            ConfigError: it is another one.
        """
        check_verdicts(settings)
        if not isinstance(settings.attack, Fooling):
            raise ConfigError(
                f"attack={settings.choice_name('attack')}: fooling_gallery makes fooling images: type attack=fooling"
            )
        self._check_classes(settings.dataset.class_count)

    def _check_classes(self, dataset_classes: int) -> None:
        """Refuse classes that the dataset has not; 0: their number is not known before it is loaded."""
        if dataset_classes and max(self.params.classes) >= dataset_classes:
            raise ConfigError(
                f"experiment.classes={self.params.classes}: the dataset has the classes 0 to {dataset_classes - 1}: "
                "name some of them"
            )

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """The start, and a class each."""
        self._check_classes(len(ctx.data.classes))
        return [Cell("start"), *(Cell(f"class-{k}", {"target": k}) for k in self.params.classes)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """At most `attack.max_iter` forwards and backwards a class, and a dozen more forwards a level."""
        classes, levels, steps = len(self.params.classes), len(self.params.levels), ctx.settings.attack.max_iter
        return Cost(forwards=classes * (steps + 2 + 12 * levels) + 1, backwards=classes * steps)

    def claims(self, table: Frame) -> list[Claim]:
        """None: what the images look like is for the reader to judge."""
        return []

    def summary(self, table: Frame) -> Frame:
        """For each level, how many classes reached it, after how many steps, and what rounding to grey levels left."""
        summary = []
        for (run, level), rows in table[table["level"] > 0].groupby(["run", "level"], sort=False):
            successes = rows[rows["success"]]
            summary.append(
                {
                    "run": run, "level": level, "classes": len(rows), "reached": len(successes),
                    "mean_steps": successes["steps"].mean(), "mean_l2": successes["l2"].mean(),
                    "least_probability": successes["reached"].min(),
                    "largest_probability": successes["reached"].max(),
                    "least_in_grey_levels": successes["probability"].min(),
                    **({key: rows[key].iloc[0] for key in ("redrawn", "start_class")} if "redrawn" in rows else {}),
                }
            )  # fmt: skip
        return frame_of(summary)

    def plot(self, table: Frame) -> Figure:
        """The start on the left, a column for each class, a row for each level, and the probability below each."""
        from .figures.fooling_gallery import fooling_gallery

        return fooling_gallery(table)
