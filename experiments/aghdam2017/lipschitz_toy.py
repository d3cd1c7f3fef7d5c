"""Figure 5 of aghdam2017: two functions with one global Lipschitz constant, alike near zero and different beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, RunContext, frame_of
from advlab.statistics import Claim, exact, judge

FUNCTIONS = ("wave", "plateau", "line")
TURNS = 2.5  # half periods between 0 and the edge, where the derivative then is 0
NEXT_CREST = 3 / TURNS  # edges: where the wave's derivative is 1 again beyond the edge
FINENESS = 250  # points an edge: suprema on the grid are then within 4e-4 of the true ones


@dataclass(frozen=True)
class LipschitzToyRow:
    """One function at one x."""

    function: str  # wave (the paper's purple), plateau (its yellow), or line, the control
    x: float
    value: float
    derivative: float


class LipschitzToy(Experiment[RunContext]):
    """Figure 5: the global Lipschitz constant does not see how a function behaves locally (section 2.4, eq 8).

    The paper does not give its functions. Here, with u = TURNS pi x / edge:

    - wave(x) = (sin u - sin^3 u / 3) edge / (TURNS pi), whose derivative is cos^3 u, at most 1 everywhere, reached at 0;
    - plateau is the wave for |x| <= edge and constant beyond. The derivative has a triple zero at the edge, so that the
      plateau has three continuous derivatives;
    - line(x) = x, the control: the same constant 1 without any non-linearity.
    """

    name: ClassVar[str] = "lipschitz_toy"
    paper: ClassVar[str] = "aghdam2017, figure 5"
    title: ClassVar[str] = "Two functions with identical global and different local Lipschitz constants"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = LipschitzToyRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The figure's range, and thresholds fixed beforehand; the paper gives the edge alone."""

        edge: Annotated[float, Gt(0)] = 5.0  # "degree of non-linearity of both functions are similar when -5 < x < 5"
        reach: float = 15.0  # x from -reach to reach
        points: int = 3001  # of x, odd: with 0 among them
        equal: Annotated[float, Gt(0)] = 1e-3  # constants are identical: they differ by less
        apart: Annotated[float, Gt(0)] = 0.1  # "non-linearity is less when |x| > 5": differ by more

        def __post_init__(self) -> None:
            """Refuse values out of range, and points that do not show the waves.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if self.reach < NEXT_CREST * self.edge:
                raise ArgumentError(
                    f"reach must be at least {NEXT_CREST:g} times as large as edge, so that the wave rises again beyond the edge, "
                    f"got {self.edge:g} and {self.reach:g}"
                )
            fewest = math.ceil(2 * self.reach / self.edge * FINENESS) + 1
            if not fewest <= self.points <= 1_000_001 or self.points % 2 == 0:
                raise ArgumentError(
                    f"points must be odd, and for this edge and reach {fewest} to 1000001, got {self.points}"
                )

    def cells(self, ctx: RunContext) -> list[Cell]:
        """One a function."""
        return [Cell(function, {"function": function}) for function in FUNCTIONS]

    def cost(self, ctx: RunContext) -> Cost:
        """No network."""
        return Cost()

    def measure(self, ctx: RunContext, cell: Cell) -> list[LipschitzToyRow]:
        """The function and its derivative on the grid."""
        params, function = self.params, cell.payload["function"]
        x = np.linspace(-params.reach, params.reach, params.points)
        values, derivatives = evaluate(function, x, params.edge)
        return [
            LipschitzToyRow(function=function, x=x_i, value=value, derivative=derivative)
            for x_i, value, derivative in zip(x.tolist(), values.tolist(), derivatives.tolist(), strict=True)
        ]

    def claims(self, table: Frame) -> list[Claim]:
        """Figure 5's caption and the text of section 2.4; exact but for the grid."""
        params = self.params
        wave, plateau, line = (table[table["function"] == function] for function in FUNCTIONS)
        parts = {"everywhere": math.inf, f"|x| < {params.edge:g}": params.edge}
        claims = [
            judge(
                "same-constant", exact(abs(lipschitz(near(wave, x)) - lipschitz(near(plateau, x)))), "<", params.equal,
                subset=subset, statement=statement, quantity="difference of sup |f'|, wave and plateau",
            )
            for (subset, x), statement in zip(
                parts.items(),
                ('figure 5: "two functions with identical Lipschitz constants"',
                 'section 2.4: "degree of non-linearity of both function are similar when -5 < x < 5"'),
                strict=True,
            )
        ]  # fmt: skip
        less_beyond = 'section 2.4: "its non-linearity is less when |x| > 5"'
        for quantity, measure in (("sup |f'|", lipschitz), ("mean |f''|", bending)):
            excess = measure(beyond(wave, params.edge)) - measure(beyond(plateau, params.edge))
            claims.append(
                judge(
                    "less-beyond", exact(excess), ">", params.apart, subset=f"|x| > {params.edge:g}",
                    statement=less_beyond, quantity=f"{quantity} of the wave minus that of the plateau",
                )
            )  # fmt: skip
        gaps = [abs(lipschitz(rows) - largest_quotient(rows)) for rows in (wave, plateau, line)]
        claims.append(
            judge(
                "constant-is-largest-gradient", exact(max(gaps)), "<", params.equal, subset="everywhere",
                statement='section 2.4: L of eq 8 "equals to greatest gradient magnitude in whole domain"',
                quantity="largest difference of sup |f'| and sup |f(x1) - f(x2)| / |x1 - x2|",
            )
        )  # fmt: skip
        claims.append(
            judge(
                "constant-tells-non-linearity", exact(bending(wave) - bending(line)), "<", params.equal,
                subset="control: a straight line",
                statement='section 2.4: eq 8 "studies the global non-linearity of a function": equal constants, equal ones',
                quantity="mean |f''| of the wave minus that of the line, whose constant is the same",
            )
        )  # fmt: skip
        return claims

    def summary(self, table: Frame) -> Frame:
        """Local and global constants on the grid, in closed form, and the mean bending of each function."""
        params = self.params
        lines = []
        for (run, function), rows in table.groupby(["run", "function"], sort=False):
            for region, part in (
                ("everywhere", rows),
                ("inside", near(rows, params.edge)),
                ("beyond", beyond(rows, params.edge)),
            ):
                flat = function == "plateau" and region == "beyond"
                lines.append(
                    {
                        "run": run, "function": function, "region": region, "lipschitz_grid": lipschitz(part),
                        "lipschitz_exact": 0.0 if flat else 1.0, "mean_bending": bending(part),
                    }
                )  # fmt: skip
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """The functions on the left, their derivatives on the right."""
        from .figures.lipschitz_toy import functions_and_derivatives

        return functions_and_derivatives(table)


def evaluate(function: str, x: Any, edge: float) -> tuple[Any, Any]:
    """Values and derivatives of one of the functions at `x`, of any shape, in float64."""
    x = np.asarray(x, dtype=float)
    if function == "line":
        return x.copy(), np.ones_like(x)
    rate = TURNS * math.pi / edge
    u = rate * (np.clip(x, -edge, edge) if function == "plateau" else x)
    inside = np.abs(x) < edge if function == "plateau" else np.ones(x.shape, bool)
    return (np.sin(u) - np.sin(u) ** 3 / 3) / rate, np.where(inside, np.cos(u) ** 3, 0.0)


def near(rows: Frame, edge: float) -> Frame:
    """Rows with |x| < edge."""
    return rows[rows["x"].abs() < edge]


def beyond(rows: Frame, edge: float) -> Frame:
    """Rows with |x| > edge."""
    return rows[rows["x"].abs() > edge]


def lipschitz(rows: Frame) -> float:
    """Largest |f'| on the grid."""
    return float(rows["derivative"].abs().max())


def largest_quotient(rows: Frame) -> float:
    """Largest |f(x1) - f(x2)| / |x1 - x2| over all pairs of the grid (eq 8): neighbours have it, by the triangle inequality."""
    return float((rows["value"].diff() / rows["x"].diff()).abs().max())


def bending(rows: Frame) -> float:
    """Mean |f''| from the derivatives of neighbours; not across the gap between two pieces of the axis."""
    steps = rows["x"].diff()
    neighbours = steps < 1.5 * steps.min()
    return float((rows["derivative"].diff() / steps)[neighbours].abs().mean())
