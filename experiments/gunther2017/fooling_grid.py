"""Figure 4 of gunther2017: fooling images of all digits from several random starts, and what an open set network makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.defenses import Defense
from advlab.errors import ConfigError
from advlab.lab import (
    Cell,
    ChoicesOf,
    Cost,
    Experiment,
    Figure,
    Frame,
    InRange,
    NetworkContext,
    Settings,
    Stage,
    frame_of,
)
from advlab.statistics import Claim

from .open_set_stages import FOOLING, fooling_stage


@dataclass(frozen=True)
class FoolingGridRow:
    """One start (level 0), or one fooling image as the attack returned it, before the open set network."""

    start: int  # which random start; those that are drawn again are counted
    target: int  # class that the image is to show; -1: the start
    target_name: str
    level: float  # probability that the attack reached; 0: the start
    success: bool  # there is an image: the start was below the lowest level, and the attack reached this one
    status: str  # start; reached, not reached, or at level already: the start itself
    probability: float  # of the target by the plain network; of the start, of its class
    start_class: int  # class of the start
    verdict: str  # by the open set network: unknown, target, other; of the start: unknown or class
    prediction: int  # by the open set network; the number of classes: unknown
    prediction_name: str
    unknown: float  # its probability of being unknown (softmax over C + 1)
    steps: int  # of the ascent
    channels: int  # shape of the image
    height: int
    width: int
    pixels: str  # uint8 values in the order channel, row, column, as base64


class FoolingGrid(Experiment[NetworkContext]):
    """Fooling images of each class at each level from several random starts (gunther2017, figure 4).

    The ascents are of the plain network; the border of each image says whether the open set network rejects it, accepts it as
    the target, or as another class. Images that the attack did not reach are missing.
    """

    name: ClassVar[str] = "fooling_grid"
    paper: ClassVar[str] = "gunther2017, figure 4"
    title: ClassVar[str] = "Fooling images from random starts, before an open set network"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = FoolingGridRow
    summary_keys: ClassVar[tuple[str, ...]] = ("level",)

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Size of the grid, and the open set network."""

        starts: Annotated[int, Ge(1)] = 3
        classes: Annotated[int, Ge(1)] = 10  # the first ones
        levels: list[Annotated[float, Gt(0), Lt(1)]] = field(default_factory=lambda: [0.5, 0.9, 0.99])
        #: one that rejects
        defenses: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=lambda: ["openmax"])

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: one start, two classes."""
        return {"tiny": {"experiment.starts": 1, "experiment.classes": 2}}.get(preset, {})

    def check(self, settings: Settings) -> None:
        """There is one defense, which rejects, and none in front of the run's network.

        Raises:
            ConfigError: otherwise.
        """
        listed = list(settings.lists["defenses"].values())
        if len(listed) != 1 or not isinstance(listed[0].component, Defense) or not listed[0].component.rejects:
            raise ConfigError(
                f"experiment.defenses={self.params.defenses}: fooling_grid needs one open set network: type "
                "experiment.defenses=[openmax]"
            )
        if settings.choice_name("defense") != "none":
            raise ConfigError(
                f"defense={settings.choice_name('defense')}: the images of fooling_grid are of the plain network: leave defense "
                "out, and name the open set network by experiment.defenses=[openmax]"
            )
        if not self.params.levels or sorted(set(self.params.levels)) != self.params.levels:
            raise ConfigError(f"experiment.levels={self.params.levels}: name ascending probabilities, at least one")

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """All ascents."""
        params = self.params
        classes = range(min(params.classes, len(ctx.data.classes)))
        return [fooling_stage(ctx, classes=classes, starts=params.starts, levels=params.levels, one_start_for_all=True)]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """A start each."""
        return [Cell(f"start-{n}", {"start": n}, stages=(FOOLING,)) for n in range(self.params.starts)]

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward of each image through both networks."""
        return Cost(forwards=2 * self.params.starts * (1 + self.params.classes * len(self.params.levels)))

    def claims(self, table: Frame) -> list[Claim]:
        """None: `open_set` judges the shares on more images."""
        return []

    def summary(self, table: Frame) -> Frame:
        """For each level, the images that there are, and the open set network's verdicts."""
        summary = []
        for (run, level), rows in table[table["level"] > 0].groupby(["run", "level"], sort=False):
            there = rows[rows["success"]]
            verdicts = {v: int((there["verdict"] == v).sum()) for v in ("unknown", "target", "other")}
            missing = {status: int((rows["status"] == status).sum()) for status in ("not reached", "at level already")}
            summary.append(
                {"run": run, "level": level, "images": len(there), **verdicts}
                | {status.replace(" ", "_"): count for status, count in missing.items()}
                | {"mean_steps": there["steps"].mean()}
            )
        return frame_of(summary)

    def plot(self, table: Frame) -> Figure:
        """A block for each start: classes beside each other, levels below each other, a border and a mark by the verdict."""
        from .figures.fooling_grid import fooling_grid

        return fooling_grid(table)
