"""Figure 4 of barati2021: where the adversarial and the hard objective of a random network are large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, DeviceContext, Experiment, Figure, Frame, InRange, frame_of
from advlab.statistics import Claim, judge, median_interval

from .decision_boundary import boundary_numbers
from .objective_agreement import agreement_claims, agreement_numbers


@dataclass(frozen=True)
class ObjectiveRow:
    """One point of the square and one network."""

    network: int  # seed of its weights
    loss: str  # L of the objectives
    x1: float
    x2: float
    output: int  # class
    adversarial: float  # L(h(x), h(x)) of the logits (eq 10)
    hard: float  # the same of the 100 features of the last hidden layer, each a hypothesis (eq 9)
    hard_1: float = math.nan  # the same of the first hidden layer
    hard_2: float = math.nan  # of the second
    other_adversarial: float = math.nan  # of a network of the same kind, drawn independently: another for each network
    other_hard: float = math.nan


class MLPObjectives(Experiment[DeviceContext]):
    """Section IV-B: the adversarial objective follows the decision boundary, the hard one does not, and differs with the layer.

    A grid over [-1, 1]^2 and networks 2-100-100-100-5 with tanh and weights from N(0, 1). The paper draws one network and
    judges by eye; here several are measured, and the figure shows the first. "At the boundary" is within `near` of a point
    of another class. Biases are 0, so that every network is odd and its features vanish at the origin, where the hard
    objective has its maximum whatever the weights.
    """

    name: ClassVar[str] = "mlp_objectives"
    paper: ClassVar[str] = "barati2021, figure 4"
    title: ClassVar[str] = "Output, adversarial and hard objective of random networks"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = ObjectiveRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The grid, the networks, and thresholds fixed before anything was measured."""

        networks: Annotated[int, Ge(1)] = 8  # run.seed and those that follow; three pairs of layers decide from 7 on
        resolution: Annotated[int, Interval(ge=3, le=1001)] = 121  # points a side
        #: -log max softmax; L(h, h) literally; mean max(0, 1 - h^2), as eq 11; mean 1 - h^2, as eq 12
        loss: Literal["label", "entropy", "margin", "square"] = "label"
        near: Annotated[float, Gt(0)] = 0.04  # distance from the boundary, up to which a point is at it
        #: "sensitive to the boundary": chance that a point at it has the larger objective, above
        ranks: Annotated[float, Gt(0), Lt(1)] = 0.8
        #: "a very different distribution", and "not unique": rank correlation of two objectives below
        unlike: Annotated[float, Gt(0), Lt(1)] = 0.5
        #: "some regions": of the largest tenth of the objective, what is not at the boundary, above. An objective that
        #: falls with the distance from the boundary has none there while a tenth of all points are at it; of one that ignores
        #: the boundary, it is the share of all points that are not at it
        elsewhere: Annotated[float, Gt(0), Lt(1)] = 0.05

        def __post_init__(self) -> None:
            """Refuse values out of range, and a grid without a point near another.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if self.near < 2 / (self.resolution - 1):
                raise ArgumentError(f"near must reach the next point of the grid, {2 / (self.resolution - 1):g} away")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: two networks on a coarse grid; the whole takes seconds."""
        return {"tiny": {"experiment.networks": 2, "experiment.resolution": 51}}.get(preset, {})

    def cells(self, ctx: DeviceContext) -> list[Cell]:
        """One a network."""
        first = ctx.settings.run.seed
        return [Cell(f"network-{n}", {"network": n}) for n in range(first, first + self.params.networks)]

    def cost(self, ctx: DeviceContext) -> Cost:
        """A forward a point, of each network and of the one beside it."""
        return Cost(forwards=2 * self.params.networks * self.params.resolution**2)

    def claims(self, table: Frame) -> list[Claim]:
        """What section IV-B reads off figure 4, over networks."""
        params, numbers = self.params, self._numbers(table)
        section, subset = "section IV-B: ", f"loss {params.loss}"
        return [
            judge(
                "adversarial-at-boundary", median_interval(numbers["adversarial_ranks"]), ">", params.ranks, subset=subset,
                statement=section + '"the adversarial objective is sensitive to the position of the decision boundary"',
                quantity="chance that a point at the boundary has a larger adversarial objective than one that is not",
            ),
            judge(
                "adversarial-elsewhere", median_interval(numbers["elsewhere"]), ">", params.elsewhere, subset=subset,
                statement=section + '"some regions [...] get lighter or darker without respecting the position"',
                quantity="of the largest tenth of the adversarial objective, the share that is not at the boundary",
            ),
            judge(
                "hard-not-at-boundary", median_interval(numbers["hard_ranks"]), "<", params.ranks, subset=subset,
                statement='figure 4: "the adversarial objective is representative of the decision boundary", the hard is not',
                quantity="chance that a point at the boundary has a larger hard objective than one that is not",
            ),
            judge(
                "very-different", median_interval(numbers["correlation"].abs()), "<", params.unlike, subset=subset,
                statement='figure 4: "the hard objective suggests a very different distribution of optimal points"',
                quantity="rank correlation of the two objectives over the square, without its sign",
            ),
            *agreement_claims(numbers, params.loss, params.unlike),
        ]  # fmt: skip

    def summary(self, table: Frame) -> Frame:
        """Medians over networks of what the claims are about."""
        summary = []
        for (run, loss), part in table.groupby(["run", "loss"], sort=False):
            numbers = self._numbers(part)
            row: dict[str, Any] = {"run": run, "loss": loss, "networks": len(numbers)}
            for key in numbers:
                low, high = median_interval(numbers[key])[1:3]
                row |= {key: numbers[key].median(), f"{key}_low": low, f"{key}_high": high}
            summary.append(row)
        return frame_of(summary)

    def _numbers(self, table: Frame) -> Frame:
        """The `boundary_numbers` and `agreement_numbers` of each network, a row each."""
        squares = [square for _, square in table.groupby("network")]
        return frame_of([boundary_numbers(square, self.params.near) | agreement_numbers(square) for square in squares])

    def plot(self, table: Frame) -> Figure:
        """Three panels a run: the classes, and the two objectives of its first network; below, hard objectives elsewhere."""
        from .figures.mlp_objectives import objective_panels

        return objective_panels(table)
