"""Figure 4 of barati2021: where the adversarial and the hard objective of a random network are large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import median_interval

from .random_mlp import grid, random_mlp

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from advlab.lab.context import Context

    Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class ObjectiveRow:
    """One point of the square and one network."""

    network: int  # seed of its weights
    loss: str  # L of the objectives
    x1: float
    x2: float
    output: int  # class
    adversarial: float  # L(h(x), h(x)) of the logits (eq 10)
    hard: float  # the same of the 100 features, each a hypothesis (eq 9)


class MLPObjectives(Experiment):
    """Section IV-B: the adversarial objective follows the decision boundary, the hard objective does not.

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
    class Params:
        """The grid, the networks, and thresholds fixed before anything was measured."""

        networks: int = 6  # run.seed and those that follow
        resolution: int = 121  # points a side
        #: -log max softmax; L(h, h) literally; mean max(0, 1 - h^2), as eq 11; mean 1 - h^2, as eq 12
        loss: Literal["label", "entropy", "margin", "square"] = "label"
        near: float = 0.04  # distance from the boundary, up to which a point is at it
        ranks: float = 0.8  # "sensitive to the boundary": chance that a point at it has the larger objective, above
        unlike: float = 0.5  # "a very different distribution": rank correlation of the objectives below
        #: "some regions": of the largest tenth of the objective, what is not at the boundary, above. An objective that
        #: falls with the distance from the boundary has none there while a tenth of all points are at it; of one that ignores
        #: the boundary, it is the share of all points that are not at it
        elsewhere: float = 0.05

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.networks < 1 or not 3 <= self.resolution <= 1001:
                raise ValueError("networks must be at least 1, resolution 3 to 1001")
            if self.near < 2 / (self.resolution - 1):
                raise ValueError(f"near must reach the next point of the grid, {2 / (self.resolution - 1):g} away")
            if not all(0 < share < 1 for share in (self.ranks, self.unlike, self.elsewhere)):
                raise ValueError("ranks, unlike and elsewhere are shares between 0 and 1")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: two networks on a coarse grid; the whole takes seconds."""
        return {"tiny": {"experiment.networks": 2, "experiment.resolution": 51}}.get(preset, {})

    def cells(self, ctx: Context) -> list[Cell]:
        """One a network."""
        first = ctx.settings.run.seed
        return [Cell(f"network-{n}", {"network": n}) for n in range(first, first + self.params.networks)]

    def cost(self, ctx: Context) -> Cost:
        """A forward a point and objective."""
        return Cost(forwards=2 * self.params.networks * self.params.resolution**2)

    def measure(self, ctx: Context, cell: Cell) -> list[ObjectiveRow]:
        """The network on the whole grid."""
        import torch

        from advlab.metrics.objectives import own_loss

        classifier = random_mlp(cell.payload["network"]).to(ctx.device)
        x = grid(self.params.resolution)
        columns = []
        for part in x.split(1 << 14):
            logits, features = classifier.features(part.to(ctx.device))
            losses = [own_loss(outputs, self.params.loss) for outputs in (logits, features)]
            columns.append(torch.stack([logits.argmax(1).to(losses[0]), *losses]).cpu())
        ctx.count(forwards=len(x))
        found = torch.cat([x[:, :, 0, 0].T, torch.cat(columns, 1)]).T.tolist()
        return [
            ObjectiveRow(
                network=cell.payload["network"], loss=self.params.loss, x1=round(x1, 6), x2=round(x2, 6),
                output=int(output), adversarial=adversarial, hard=hard,
            )
            for x1, x2, output, adversarial, hard in found
        ]  # fmt: skip

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """What section IV-B reads off figure 4, over networks."""
        p, found = self.params, self._numbers(table)
        section, subset = "section IV-B: ", f"loss {p.loss}"
        return [
            judge(
                "adversarial-at-boundary", median_interval(found["adversarial_ranks"]), ">", p.ranks, subset=subset,
                statement=section + '"the adversarial objective is sensitive to the position of the decision boundary"',
                quantity="chance that a point at the boundary has a larger adversarial objective than one that is not",
            ),
            judge(
                "adversarial-elsewhere", median_interval(found["elsewhere"]), ">", p.elsewhere, subset=subset,
                statement=section + '"some regions [...] get lighter or darker without respecting the position"',
                quantity="of the largest tenth of the adversarial objective, the share that is not at the boundary",
            ),
            judge(
                "hard-not-at-boundary", median_interval(found["hard_ranks"]), "<", p.ranks, subset=subset,
                statement='figure 4: "the adversarial objective is representative of the decision boundary", the hard is not',
                quantity="chance that a point at the boundary has a larger hard objective than one that is not",
            ),
            judge(
                "very-different", median_interval(found["correlation"].abs()), "<", p.unlike, subset=subset,
                statement='figure 4: "the hard objective suggests a very different distribution of optimal points"',
                quantity="rank correlation of the two objectives over the square, without its sign",
            ),
        ]  # fmt: skip

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Medians over networks of what the claims are about."""
        import pandas as pd

        lines = []
        for (run, loss), part in table.groupby(["run", "loss"], sort=False):
            found = self._numbers(part)
            line: dict[str, Any] = {"run": run, "loss": loss, "networks": len(found)}
            for key in found:
                low, high = median_interval(found[key])[1:3]
                line |= {key: found[key].median(), f"{key}_low": low, f"{key}_high": high}
            lines.append(line)
        return pd.DataFrame(lines)

    def _numbers(self, table: pd.DataFrame) -> pd.DataFrame:
        """One line a network: see `boundary_numbers`."""
        import pandas as pd

        return pd.DataFrame([boundary_numbers(part, self.params.near) for _, part in table.groupby("network")])

    def plot(self, table: pd.DataFrame) -> Figure:
        """Three panels a run: the classes, and the two objectives of its first network."""
        from .figures.mlp_objectives import objective_panels

        return objective_panels(table)


def boundary_numbers(part: pd.DataFrame, near: float) -> dict[str, float]:
    """One network's share of points at the boundary, and how the objectives relate to it and to each other."""
    import numpy as np
    from scipy.stats import rankdata

    square = part.sort_values(["x1", "x2"])
    side = square["x1"].nunique()
    adversarial, hard = (square[key].to_numpy() for key in ("adversarial", "hard"))
    at = boundary_distance(square["output"].to_numpy().reshape(side, -1), 2 / (side - 1)).ravel() <= near
    largest = adversarial >= np.quantile(adversarial, 0.9)
    return {
        "at_boundary": float(at.mean()),
        "adversarial_ranks": larger(adversarial, at),
        "hard_ranks": larger(hard, at),
        "elsewhere": float((largest & ~at).sum() / largest.sum()),
        "correlation": float(np.corrcoef(rankdata(adversarial), rankdata(hard))[0, 1]),
    }


def boundary_distance(output: Array, spacing: float) -> Array:
    """Distance of each point of a grid of classes to the nearest point of another class; infinite where there is none."""
    import numpy as np
    from scipy.ndimage import distance_transform_edt

    distance = np.full(output.shape, np.inf)
    for k in np.unique(output):
        own = output == k
        if not own.all():
            distance[own] = distance_transform_edt(own)[own] * spacing
    return distance


def larger(values: Array, chosen: Any) -> float:
    """Chance that a value of the chosen is larger than one of the others (the area under the ROC curve; ties count half)."""
    from scipy.stats import rankdata

    n = int(chosen.sum())
    if n in (0, len(chosen)):
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[chosen].sum() - n * (n + 1) / 2) / (n * (len(values) - n)))
