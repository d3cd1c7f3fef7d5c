"""The untested prediction of barati2021, section IV-B: which training points find a random network with the fewest of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import median_interval

from .random_mlp import CLASSES, HIDDEN, grid, random_mlp

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.lab.context import Context
    from advlab.models.classifier import Classifier

DENSITIES = ("uniform", "adversarial", "hard", "expected")
HYPOTHESES = 1_000_000  # seeds of the random networks of the expectation begin here, away from the teachers'


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


class SampleComplexity(Experiment):
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
    gradients: ClassVar[bool] = True
    Row: ClassVar[type] = ComplexityRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """The points, the training (none of it in the paper), and a threshold fixed before anything was measured."""

        teachers: int = 8  # run.seed and those that follow
        sizes: list[int] = field(default_factory=lambda: [50, 100, 200, 400, 800, 1600])  # of the training sets
        loss: Literal["label", "entropy", "margin"] = "label"  # of the objectives; margin: eq 11
        hypotheses: int = 100  # random networks of the expectation
        pool: int = 32_768  # uniform points of which the training points are drawn, without replacement
        init: Literal["teacher", "scaled"] = "teacher"  # initial weights: N(0, 1) as the teacher's, or N(0, 1 / inputs)
        steps: int = 2000  # of Adam
        batch: int = 64
        lr: float = 0.005  # at first; falls as a cosine
        helpful: float = 0.01  # points "not as helpful": they raise the agreement by less

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if min(self.teachers, self.hypotheses, self.steps, self.batch) < 1 or self.lr <= 0:
                raise ValueError("teachers, hypotheses, steps, batch and lr must be above 0")
            if not self.sizes or self.sizes != sorted(set(self.sizes)) or self.sizes[0] < 1:
                raise ValueError(f"sizes must rise and be at least 1, got {self.sizes}")
            if self.pool < 4 * self.sizes[-1]:
                raise ValueError(f"pool must hold four times the largest size, {4 * self.sizes[-1]} points")
            if not 0 < self.helpful < 1:
                raise ValueError(f"helpful is a share between 0 and 1, got {self.helpful}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: six teachers and up to 800 points; `tiny`: two, 50 and 100 points, few steps."""
        small = {"teachers": 2, "sizes": [50, 100], "steps": 100, "hypotheses": 10}
        chosen = {"tiny": small, "laptop": {"teachers": 6, "sizes": [50, 100, 200, 400, 800]}}.get(preset, {})
        return {f"experiment.{key}": value for key, value in chosen.items()}

    def cells(self, ctx: Context) -> list[Cell]:
        """One a teacher."""
        first = ctx.settings.run.seed
        return [Cell(f"teacher-{n}", {"teacher": n}) for n in range(first, first + self.params.teachers)]

    def cost(self, ctx: Context) -> Cost:
        """Points through networks of this size: objectives, training, and the grid of each trained network."""
        p = self.params
        students = len(DENSITIES) * len(p.sizes)
        trained = p.teachers * students * p.steps * p.batch
        return Cost(
            forwards=trained + p.teachers * ((p.hypotheses + 3) * p.pool + students * 101**2), backwards=trained
        )

    def measure(self, ctx: Context, cell: Cell) -> list[ComplexityRow]:
        """All training sets of one teacher at once."""
        import torch

        from advlab.metrics.objectives import objective
        from advlab.training.batched_mlps import BatchedMLPs

        p, seed = self.params, cell.payload["teacher"]
        teacher = random_mlp(seed).to(ctx.device)
        generator = torch.Generator().manual_seed(seed)
        pool = torch.rand(p.pool, 2, generator=generator) * 2 - 1
        with torch.no_grad():
            densities = self.densities(ctx, teacher, pool)
            labels = classes(teacher, pool)
            test = grid(101)[:, :, 0, 0]
            truth = classes(teacher, test)
            at = objective(teacher, test[:, :, None, None].to(ctx.device), "adversarial").cpu()
        keys = [(size, name) for size in p.sizes for name in DENSITIES]
        drawn = [torch.multinomial(densities[name], size, generator=generator) for size, name in keys]
        points = [pool[index] for index in drawn]
        deviation = 1.0 if p.init == "teacher" else 0.0
        students = BatchedMLPs(
            len(keys), (2, *HIDDEN, CLASSES), deviation=deviation, generator=generator, device=ctx.device
        )
        students.fit(
            points, [labels[index] for index in drawn], steps=p.steps, batch=p.batch, lr=p.lr, generator=generator
        )
        ctx.count(forwards=len(keys) * p.steps * p.batch, backwards=len(keys) * p.steps * p.batch)
        largest = at >= at.quantile(0.9)
        said = students(test.to(ctx.device)).argmax(-1).cpu() == truth
        rows = []
        for s, (size, name) in enumerate(keys):
            fitted = students.logits_of(s, points[s].to(ctx.device)).argmax(-1).cpu() == labels[drawn[s]]
            rows.append(
                ComplexityRow(
                    teacher=seed, density=name, points=size, spread=spread(densities[name]), loss=p.loss,
                    agreement=float(said[s].double().mean()), at_boundary=float(said[s][largest].double().mean()),
                    fitted=float(fitted.double().mean()),
                )
            )  # fmt: skip
        return rows

    def densities(self, ctx: Context, teacher: Classifier, pool: Tensor) -> dict[str, Tensor]:
        """What the points of the pool (N, 2) are drawn in proportion to, (N,) each, on the CPU."""
        import torch

        from advlab.metrics.objectives import expected_loss, objective

        p, x = self.params, pool[:, :, None, None].to(ctx.device)
        first = HYPOTHESES + p.hypotheses * ctx.settings.run.seed
        others = (random_mlp(n).to(ctx.device) for n in range(first, first + p.hypotheses))
        found = {
            "uniform": torch.ones(len(x)),
            "adversarial": objective(teacher, x, "adversarial", loss=p.loss).cpu(),
            "hard": objective(teacher, x, "hard", loss=p.loss).cpu(),
            "expected": expected_loss(others, x, p.loss).cpu(),
        }
        ctx.count(forwards=(p.hypotheses + 2) * len(x))
        # a margin can be 0 on all but a few points, and so many must be drawn
        return {name: values.clamp_min(1e-9 * float(values.max())) for name, values in found.items()}

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The prediction, in the mean over the numbers of points, over teachers."""
        section, paper = "section IV-B: ", "prediction"
        minimal = (
            section + '"proportional to the adversarial objective, the sample complexity [...] would be minimized"'
        )
        over = "mean over the numbers of points"
        gain = {other: self._gain(table, "adversarial", other) for other in ("uniform", "hard")}
        return [
            judge(
                "adversarial-over-uniform", median_interval(gain["uniform"]), ">", 0, subset=paper, statement=minimal,
                quantity=f"agreement from adversarial less from uniform points, {over}",
            ),
            judge(
                "adversarial-over-hard", median_interval(gain["hard"]), ">", 0, subset=paper, statement=minimal,
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

    def _gain(self, table: pd.DataFrame, density: str, other: str, column: str = "agreement") -> pd.Series:
        """Difference of two densities for each teacher."""
        means = table.groupby(["density", "teacher"])[column].mean()
        found: pd.Series = means[density] - means[other]
        return found

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Medians over teachers for each density and number of points."""
        import pandas as pd

        lines = []
        for (run, density, points), part in table.groupby(["run", "density", "points"], sort=False):
            line: dict[str, Any] = {"run": run, "density": density, "points": points, "teachers": len(part)}
            for key in ("agreement", "at_boundary", "fitted", "spread"):
                found = median_interval(part[key])
                line |= {key: found.estimate, f"{key}_low": found.low, f"{key}_high": found.high}
            lines.append(line)
        return pd.DataFrame(lines)

    def plot(self, table: pd.DataFrame) -> Figure:
        """Agreement against the number of points, on the square and where the classes meet."""
        from .figures.sample_complexity import agreement_panels

        return agreement_panels(table)


def spread(density: Tensor) -> float:
    """(sum w)^2 / (N sum w^2) of weights w (N,): 1 for equal ones, k / N where k equal ones are not 0."""
    weights = density.double()
    return float(weights.sum() ** 2 / (len(weights) * weights.square().sum()))


def classes(network: Classifier, points: Tensor) -> Tensor:
    """(N,) classes of points (N, 2), on the CPU."""
    labels: Tensor = network(points[:, :, None, None].to(network.device)).argmax(1).cpu()
    return labels
