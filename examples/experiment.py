"""The smallest experiment that is complete: accuracy of a network behind each of several defenses.

advlab --plugin examples/experiment.py experiment=defended_accuracy run.preset=tiny
advlab --plugin examples/experiment.py experiment=defended_accuracy experiment.defenses=[none,round,shift] run.preset=laptop
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

import advlab
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, frame_of
from advlab.statistics import Claim, judge, share_interval


@dataclass(frozen=True)
class DefendedRow:
    """One image behind one defense."""

    defense: str  # as it is typed
    sample: int  # index in the split
    label: int  # true class
    prediction: int  # class; the number of classes where the image is rejected
    confidence: float  # softmax probability of the prediction, in [0, 1]


@advlab.experiment
class DefendedAccuracy(Experiment[NetworkContext]):
    """Accuracy on clean test images behind each of several defenses: the price of a defense that nobody attacks.

    The images are the first of a seeded order, right or wrong, and the same behind every defense. One claim a defense: its
    accuracy is above a threshold that was fixed beforehand. They have one name, so that the run judges them by intervals that
    cover together with 95 %; those of the summary and the figure cover with 95 % each.
    """

    name: ClassVar[str] = "defended_accuracy"
    paper: ClassVar[str] = "an example, after gunther2017, table 2"
    title: ClassVar[str] = "Accuracy behind defenses"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = DefendedRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is compared."""

        defenses: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=lambda: ["none", "blur", "noise"])
        samples: Annotated[int, Ge(1)] = 1000  # images
        accuracy: Annotated[float, Gt(0), Lt(1)] = 0.9  # claim: above; fixed beforehand

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 50."""
        return {"tiny": {"experiment.samples": 50}, "laptop": {"experiment.samples": 200}}.get(preset, {})

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a defense."""
        return [Cell(name, {"defense": name}) for name in self.params.defenses]

    def measure(self, ctx: NetworkContext, cell: Cell) -> list[DefendedRow]:
        """The network's answers behind one defense."""
        name, samples = cell.payload["defense"], ctx.order(self.params.samples)
        forward, rows = ctx.defended(ctx.listed("defenses")[name]), []
        size = forward.limit  # so many images in memory at a time
        for part in (samples[start : start + size] for start in range(0, len(samples), size)):
            images, labels = ctx.images_and_labels(part)
            confidence, prediction = forward(images).softmax(1).max(1)
            columns = zip(part, labels.tolist(), prediction.tolist(), confidence.tolist(), strict=True)
            rows += [DefendedRow(name, *values) for values in columns]
        return rows

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward an image and defense."""
        return Cost(forwards=len(self.params.defenses) * len(ctx.order(self.params.samples)))

    def claims(self, table: Frame) -> list[Claim]:
        """The accuracy behind each defense."""
        return [
            judge(
                "accuracy", share_interval(rows["prediction"] == rows["label"]), ">", self.params.accuracy,
                subset=str(name), statement="a defense leaves clean images right",
                quantity="share of the images that are classified correctly",
            )
            for name, rows in table.groupby("defense", sort=False)
        ]  # fmt: skip

    def summary(self, table: Frame) -> Frame:
        """Accuracy of each run behind each defense, with its interval."""
        return frame_of(
            [
                {"run": run, "defense": name, **share_interval(rows["prediction"] == rows["label"])._asdict()}
                for (run, name), rows in table.groupby(["run", "defense"], sort=False)
            ]
        )

    def plot(self, table: Frame) -> Figure:
        """A point with its interval for each defense, a colour for each run."""
        from matplotlib.figure import Figure as Canvas  # half a second, which listing need not wait for

        from advlab.plotting.style import COLUMN, LINES, literal

        figure = Canvas(figsize=(COLUMN, 2.2), layout="constrained")
        axes = figure.subplots()
        for colour, (run, rows) in zip(cycle(LINES), self.summary(table).groupby("run", sort=False), strict=False):
            bars, label = [rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]], literal(str(run))
            axes.errorbar(rows["defense"], rows["estimate"], bars, fmt="o", capsize=3, color=colour, label=label)
        axes.set_ylabel("accuracy")
        figure.legend(loc="outside upper center")
        return figure
