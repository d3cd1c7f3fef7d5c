"""Figure 3 of barati2021: the expected loss of Chebyshev polynomials against themselves, and the Chebyshev nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Interval, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, RunContext, frame_of
from advlab.polynomials.expected_loss import expected_loss, hardest_points, mean_loss, sampled_loss
from advlab.polynomials.grids import lobatto, roots
from advlab.statistics import Claim, exact, judge

from .optimal_points import slope_claims, slope_numbers

LARGEST_DEGREE = 300
MOST_DRAWS = 10_000_000


@dataclass(frozen=True)
class LossRow:
    """One value of the expected loss."""

    degree: int  # n
    hypotheses: str  # H: basis, T*_0..T*_n with equal weights; gaussian, their random sums
    #: curve: the loss at x; sampled: its Monte Carlo mean; node: at a root of T*_n; end: at 0 or 1; lobatto: at an
    #: inner extremum of T*_n; maximum: at a local maximum; mean: over all of [0, 1]; slope_*: the objective of eq 8, of
    #: the nodes, the local maxima, equispaced points, pairs of points that almost coincide, and drawn sets, a row for each
    quantity: str
    x: float  # in [0, 1]; nan for the mean and for sets of points
    value: float
    standard_error: float  # of a Monte Carlo mean; 0 for what is computed


class HardPoints(Experiment[RunContext]):
    """Figure 3: where would training points be hardest, and do the Chebyshev nodes lie there? (section IV.A).

    The loss of a hypothesis h against its own prediction is max(0, 1 - h(x)^2) (eq 11). Over T*_0..T*_n it has the
    closed form of eq 12, in which the maximum is never taken; it is checked by drawing hypotheses. A second family,
    which the paper has not, makes the maximum matter: sums of a_i T*_i with independent Gaussian a_i of variance
    1 / (n + 1). Equation 8, of which the loss is a surrogate, has a closed form for both, too.
    """

    name: ClassVar[str] = "hard_points"
    paper: ClassVar[str] = "barati2021, figure 3"
    title: ClassVar[str] = "Expected loss of Chebyshev polynomials against themselves, and the Chebyshev nodes"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = LossRow
    summary_keys: ClassVar[tuple[str, ...]] = ("degree", "hypotheses")
    version: ClassVar[int] = 2

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The hypotheses, how many are drawn, and thresholds of the claims: round numbers, the paper gives none."""

        degree: Annotated[int, Interval(ge=1, le=LARGEST_DEGREE)] = 10  # n (figure 3)
        hypotheses: list[Literal["basis", "gaussian"]] = field(default_factory=lambda: ["basis", "gaussian"])
        #: hypotheses of the Monte Carlo check of eq 11; 0: none
        draws: Annotated[int, Interval(ge=0, le=MOST_DRAWS)] = 20_000
        #: points of a curve, denser towards the ends; 0: 12 a half-wave, and at least 401
        resolution: Annotated[int, Interval(ge=0, le=100_001)] = 0
        #: "very close": distance on [0, 1] from every local maximum to its node below
        close: Annotated[float, Gt(0)] = 0.02
        #: "does optimize": the nodes' mean loss over the largest possible above
        optimal: Annotated[float, Gt(0), Lt(1)] = 0.99
        sets: Annotated[int, Interval(ge=0, le=100_000)] = 1000  # of n uniform points, at which eq 8 is evaluated
        #: "optimal training points" of eq 8: share of those sets that are better below
        beaten: Annotated[float, Gt(0), Lt(1)] = 0.05

        def __post_init__(self) -> None:
            """Refuse values out of range, hypotheses that are named twice, and single draws and points.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.hypotheses or len(set(self.hypotheses)) < len(self.hypotheses):
                raise ArgumentError(f"hypotheses must name basis, gaussian or both, each once, got {self.hypotheses}")
            if self.draws == 1:
                raise ArgumentError(f"draws must be 0 (none) or from 2 to {MOST_DRAWS}, got 1")
            if self.resolution == 1:
                raise ArgumentError("resolution must be 0 (chosen) or from 2 to 100001 points, got 1")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """None: it takes a second."""
        return {}

    def cells(self, ctx: RunContext) -> list[Cell]:
        """One family of hypotheses each."""
        return [Cell(family, {"hypotheses": family}) for family in self.params.hypotheses]

    def cost(self, ctx: RunContext) -> Cost:
        """No forwards: polynomials of one variable."""
        return Cost()

    def measure(self, ctx: RunContext, cell: Cell) -> list[LossRow]:
        """The closed form on the curve and at all special points, and the Monte Carlo means on the curve."""
        n, params, family = self.params.degree, self.params, cell.payload["hypotheses"]
        x = lobatto(params.resolution or max(401, 24 * n + 1))

        def row(quantity: str, point: float, value: float, error: float = 0.0) -> LossRow:
            return LossRow(
                degree=n,
                hypotheses=family,
                quantity=quantity,
                x=float(point),
                value=float(value),
                standard_error=float(error),
            )

        special_points: dict[str, Any] = {
            "curve": x, "node": roots(n), "end": [0.0, 1.0], "lobatto": lobatto(n + 1)[1:-1], "maximum": hardest_points(n),
        }  # fmt: skip
        rows = [
            row(quantity, point, value)
            for quantity, points in special_points.items()
            for point, value in zip(points, expected_loss(points, n, family), strict=True)
        ]
        if params.draws:
            means, errors = sampled_loss(x, n, family, draws=params.draws, seed=ctx.settings.run.seed)
            rows += [row("sampled", point, mean, error) for point, mean, error in zip(x, means, errors, strict=True)]
        slopes = slope_numbers(n, family, sets=params.sets, seed=ctx.settings.run.seed)
        return [
            *rows,
            row("mean", math.nan, mean_loss(n, family)),
            *(row(name, math.nan, value) for name, value in slopes),
        ]

    def claims(self, table: Frame) -> list[Claim]:
        """What section IV.A says of figure 3, and section III.B of equation 8, for each family of hypotheses."""
        params, claims = self.params, []
        for family, rows in table.groupby("hypotheses", sort=False):
            loss, x = by_quantity(rows, "value"), by_quantity(rows, "x")
            mean = float(loss["mean"][0])
            claims += [
                judge(
                    "close", exact(float(abs(x["maximum"] - x["node"]).max())), "<", params.close, subset=str(family),
                    quantity="largest distance from a local maximum to its node",
                    statement='section IV.A: "Chebyshev nodes are very close to the optimal points"',
                ),
                judge(
                    "optimal", exact(float(loss["node"].mean() / loss["maximum"].max())), ">", params.optimal,
                    subset=str(family), quantity="sum of the loss over the nodes / its supremum over so many points",
                    statement='section IV: "a Chebyshev grid does optimize (9)", of which (11) and (12) are cases',
                ),
                judge(
                    "better-than-uniform", exact(float(loss["node"].mean() - mean)), ">", 0.0, subset=str(family),
                    quantity="mean loss of the nodes less that of uniform points",
                    statement="the same, weakly: nodes are harder than points drawn uniformly",
                ),
                judge(
                    "boundary", exact(float(loss["end"].mean() - mean)), ">", 0.0, subset=str(family),
                    quantity="loss at 0 and 1 less that of uniform points",
                    statement='section IV.A: the two ends are critical points, "we should consider the boundary"',
                ),
                *slope_claims(loss, str(family), params.beaten),
            ]  # fmt: skip
        return claims

    def summary(self, table: Frame) -> Frame:
        """For each family: mean losses of the grids, distances of the nodes, closed form against Monte Carlo, and eq 8."""
        rows = []
        for (run, degree, family), part in table.groupby(["run", "degree", "hypotheses"], sort=False):
            loss, x = by_quantity(part, "value"), by_quantity(part, "x")
            errors = part.loc[part["quantity"] == "sampled", "standard_error"].to_numpy()
            deviations = abs(loss["sampled"] - loss["curve"]) if len(errors) else errors
            random = errors > 1e-9  # at 0 and 1 every |T*_i| is 1: there the loss of the basis is no random number
            rows.append(
                {
                    "run": run, "degree": degree, "hypotheses": family, "loss at the nodes": loss["node"].mean(),
                    "at the nodes and the ends": (loss["node"].sum() + loss["end"].sum()) / (degree + 2),
                    "at the inner Lobatto points": loss["lobatto"].mean() if "lobatto" in loss else math.nan,
                    "at uniform points": loss["mean"][0], "at the local maxima": loss["maximum"].mean(),
                    "at the hardest point": loss["maximum"].max(),
                    "largest distance to a node": abs(x["maximum"] - x["node"]).max(),
                    "Monte Carlo off by, at most": max(deviations, default=math.nan),
                    "in standard errors": max(deviations[random] / errors[random], default=math.nan),
                }
                | {f"{quantity} (eq 8)": np.median(loss[quantity]) for quantity in loss if quantity.startswith("slope_")}
            )  # fmt: skip
        return frame_of(rows)

    def plot(self, table: Frame) -> Figure:
        """The loss, the nodes and the ends on it, and where its maxima lie; a panel for each family."""
        from .figures.hard_points import loss_curves

        return loss_curves(table)


def by_quantity(table: Frame, column: str) -> dict[str, Any]:
    """quantity -> the values of a column in its rows, as an array."""
    return {str(quantity): rows[column].to_numpy() for quantity, rows in table.groupby("quantity")}
