"""The untested prediction of barati2021, section IV-B: which training points find a random network with the fewest of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, DeviceContext, Experiment, Figure, Frame, InRange, frame_of
from advlab.statistics import Claim, judge, median_interval

DENSITIES = ("uniform", "adversarial", "hard", "expected")
TEST_RESOLUTION = 101  # points a side of the grid on which networks are compared


@dataclass(frozen=True)
class ComplexityRow:
    """One network trained on points labelled by another."""

    teacher: int  # seed of the weights of the random network that labels
    density: str  # points are drawn in proportion to 1, or to an objective
    points: int  # in the training set
    spread: float  # of the density: share of the square over which points are effectively drawn (1: uniform)
    loss: str  # L of the objectives
    agreement: float  # share of the square on which the trained network and the teacher give the same class
    at_boundary: float  # the same where the adversarial objective is largest, a tenth of the square
    fitted: float  # the same on the training points


class SampleComplexity(Experiment[DeviceContext]):
    """Section IV-B: "if we sample the training points proportional to the adversarial objective, the sample complexity of
    finding this exact hypothesis would be minimized".

    A random network of figure 4 labels points of [-1, 1]^2; networks of the same architecture, equal initial weights and as
    many steps are trained on them. Points are drawn uniformly, in proportion to the teacher's adversarial objective, to its
    hard objective, or to the expected loss of other random networks (eqs 9 and 11 by Monte Carlo), which knows nothing of
    the teacher. Each number of points has new points. The paper's optimal points include the boundary of the square; here
    none are added to any density.
    """

    name: ClassVar[str] = "sample_complexity"
    paper: ClassVar[str] = "barati2021, section IV-B"
    title: ClassVar[str] = "Agreement with a random network against the number of training points"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = ComplexityRow
    summary_keys: ClassVar[tuple[str, ...]] = ("density", "points")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The points, the training (none of it in the paper), and a threshold fixed before anything was measured."""

        teachers: Annotated[int, Ge(1)] = 8  # run.seed and those that follow
        #: of the training sets
        sizes: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [50, 100, 200, 400, 800, 1600])
        loss: Literal["label", "entropy", "margin"] = "label"  # of the objectives; margin: eq 11
        hypotheses: Annotated[int, Ge(1)] = 100  # random networks of the expectation
        pool: int = 32_768  # uniform points of which the training points are drawn, without replacement
        init: Literal["teacher", "scaled"] = "teacher"  # initial weights: N(0, 1) as the teacher's, or N(0, 1 / inputs)
        steps: Annotated[int, Ge(1)] = 2000  # of Adam
        batch: Annotated[int, Ge(1)] = 64
        lr: Annotated[float, Gt(0)] = 0.005  # at first; falls as a cosine
        helpful: Annotated[float, Gt(0), Lt(1)] = 0.01  # points "not as helpful": they raise the agreement by less

        def __post_init__(self) -> None:
            """Refuse values out of range, sizes that do not rise, and too few points to draw them from.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.sizes or self.sizes != sorted(set(self.sizes)):
                raise ArgumentError(f"sizes must rise, at least one, got {self.sizes}")
            if self.pool < 4 * self.sizes[-1]:
                raise ArgumentError(f"pool must hold four times the largest size, {4 * self.sizes[-1]} points")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: six teachers and up to 800 points; `tiny`: two, 50 and 100 points, few steps."""
        small = {"teachers": 2, "sizes": [50, 100], "steps": 100, "hypotheses": 10}
        chosen = {"tiny": small, "laptop": {"teachers": 6, "sizes": [50, 100, 200, 400, 800]}}.get(preset, {})
        return {f"experiment.{key}": value for key, value in chosen.items()}

    def cells(self, ctx: DeviceContext) -> list[Cell]:
        """One a teacher."""
        first = ctx.settings.run.seed
        return [Cell(f"teacher-{n}", {"teacher": n}) for n in range(first, first + self.params.teachers)]

    def cost(self, ctx: DeviceContext) -> Cost:
        """Points through networks of this size: objectives, training, and the grid of each trained network."""
        params = self.params
        students = len(DENSITIES) * len(params.sizes)
        trained = params.teachers * students * params.steps * params.batch
        return Cost(
            forwards=trained
            + params.teachers * ((params.hypotheses + 3) * params.pool + students * TEST_RESOLUTION**2),
            backwards=trained,
        )

    def claims(self, table: Frame) -> list[Claim]:
        """The prediction, in the mean over the numbers of points, over teachers."""
        section, paper = "section IV-B: ", "prediction"
        minimized = (
            section + '"proportional to the adversarial objective, the sample complexity [...] would be minimized"'
        )
        over = "mean over the numbers of points"
        gain = {other: self._gain(table, "adversarial", other) for other in ("uniform", "hard")}
        return [
            judge(
                "adversarial-over-uniform", median_interval(gain["uniform"]), ">", 0, subset=paper, statement=minimized,
                quantity=f"agreement from adversarial less from uniform points, {over}",
            ),
            judge(
                "adversarial-over-hard", median_interval(gain["hard"]), ">", 0, subset=paper, statement=minimized,
                quantity=f"agreement from adversarial less from hard points, {over}",
            ),
            judge(
                "agnostic-points", median_interval(self._gain(table, "expected", "uniform")), "<", self.params.helpful,
                subset=paper, statement=section + '"a hypothesis agnostic set of points would not be as helpful"',
                quantity=f"agreement from points of the expected loss less from uniform points, {over}",
            ),
            judge(
                "at-boundary", median_interval(self._gain(table, "adversarial", "uniform", "at_boundary")), ">", 0,
                subset="controls", statement="control: the same where the adversarial objective is largest",
                quantity=f"agreement there from adversarial less from uniform points, {over}",
            ),
        ]  # fmt: skip

    def _gain(self, table: Frame, density: str, other: str, column: str = "agreement") -> Any:
        """For each teacher the mean of a column over the points of one density, less that of another; a Series."""
        means = table.groupby(["density", "teacher"])[column].mean()
        return means[density] - means[other]

    def summary(self, table: Frame) -> Frame:
        """Medians over teachers for each density and number of points."""
        summary = []
        for (run, density, points), part in table.groupby(["run", "density", "points"], sort=False):
            row: dict[str, Any] = {"run": run, "density": density, "points": points, "teachers": len(part)}
            for key in ("agreement", "at_boundary", "fitted", "spread"):
                median = median_interval(part[key])
                row |= {key: median.estimate, f"{key}_low": median.low, f"{key}_high": median.high}
            summary.append(row)
        return frame_of(summary)

    def plot(self, table: Frame) -> Figure:
        """Agreement against the number of points, on the square and where the classes meet."""
        from .figures.sample_complexity import agreement_panels

        return agreement_panels(table)
