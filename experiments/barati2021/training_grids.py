"""Figure 2 of barati2021: maximum-margin polynomials trained on equispaced and on Chebyshev grids of m points."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, RunContext, frame_of
from advlab.polynomials import polynomial
from advlab.polynomials.bases import BASES
from advlab.polynomials.grids import GRIDS, lobatto, nearest_label
from advlab.polynomials.max_margin import max_margin
from advlab.statistics import Claim, exact, judge

from .delta_and_epsilon import delta_epsilon_claims
from .grid_numbers import largest_of, numbers_of
from .uniform_convergence import uniform_claims

Grid = Literal["equispaced", "roots", "roots+boundary", "lobatto", "lobatto_interior"]
CHEBYSHEV: tuple[Grid, ...] = ("roots", "roots+boundary", "lobatto")
BOUNDARY: dict[Grid, Grid] = {"roots+boundary": "roots", "lobatto": "lobatto_interior"}  # with both ends -> without
SMALLEST_SIZE = {"lobatto_interior": 4}  # the least m that leaves points; 2 for the other grids
LARGEST_DEGREE, MOST_POINTS = 1000, 100_000
Size = Annotated[int, Ge(2), Le(MOST_POINTS)]


@dataclass(frozen=True)
class GridRow:
    """One number of a trained classifier: its value at one point, a label, or one about all of [0, 1]."""

    basis: str  # of the features
    degree: int  # n
    grid: str  # of the training points
    m: int  # its size; roots+boundary has m + 2 points, lobatto_interior m - 2
    #: curve: f at x; label: of the training point x; wrong_share: of [0, 1], where the sign is not that of x - 1/2;
    #: worst: least y f(x); sup: largest |f|; uniform_distance: largest |y - f(x)| `apart` from 1/2; margin: 1 / ||w||; support
    quantity: str
    x: float  # in [0, 1]; nan for numbers about all of it
    value: float


class TrainingGrids(Experiment[RunContext]):
    """Figure 2: degree 30, more and more points, labelled by the nearest neighbour in S (section III.A).

    Hard margin on the features T*_0..T*_n without a separate bias, solved exactly. The paper does not say which
    Chebyshev grid it takes, nor what m counts: roots of T*_m, those with both ends, and the m Lobatto points are all
    measured, and the latter without their ends, because "removal of the two boundary points has a considerable negative
    effect" (section IV.A). Shares and extrema are exact: from the roots of f and of its derivative.
    """

    name: ClassVar[str] = "training_grids"
    paper: ClassVar[str] = "barati2021, figure 2"
    title: ClassVar[str] = "Maximum-margin polynomials trained on equispaced and on Chebyshev grids"
    uses: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 2
    Row: ClassVar[type] = GridRow
    summary_keys: ClassVar[tuple[str, ...]] = ("basis", "degree", "grid")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The classifier, its training points, and thresholds of the claims: round numbers, the paper gives none."""

        degree: Annotated[int, Ge(1), Le(LARGEST_DEGREE)] = 30  # n (figure 2)
        basis: Literal["chebyshev", "bernstein"] = "chebyshev"  # features; bernstein is a control
        #: of training points; the paper's C_m may be any of the three Chebyshev grids
        grids: list[Grid] = field(default_factory=lambda: ["equispaced", *CHEBYSHEV, "lobatto_interior"])
        #: m, even: the middle of an odd grid has no nearest neighbour
        sizes: list[Size] = field(default_factory=lambda: [2, 10, 16, 20, 30, 40, 60, 80, 100, 150, 500])
        drawn_grids: list[Grid] = field(default_factory=lambda: ["roots", "equispaced"])  # rows of panels, from the top
        drawn_sizes: list[int] = field(default_factory=lambda: [10, 30, 60, 100])  # panels of a row; the paper: "a few"
        #: points of a curve, denser towards the ends; 0: 12 a half-wave, and at least 401
        resolution: Annotated[int, Ge(0), Le(100_001)] = 0
        converged: Annotated[float, Gt(0)] = 1e-6  # "converge": wrong share below
        uniform: Annotated[float, Gt(0)] = 0.5  # "uniform convergence": largest distance from the labels below
        apart: Annotated[float, Gt(0), Lt(0.5)] = 0.1  # from 1/2, where labels jump and no polynomial follows
        #: "considerable negative effect": fall of the least y f, whose margin is 1, above
        considerable: Annotated[float, Gt(0)] = 0.1
        few: Size = (
            10  # m of the grids between which delta, the share of wrong signs, and epsilon, their depth, are compared
        )
        many: Size = 80
        vanishes: Annotated[float, Gt(0), Lt(1)] = 0.1  # "approaches zero": delta at `many` / delta at `few` below
        stays: Annotated[float, Gt(0), Lt(1)] = 0.5  # "does not vanish as fast": the same of epsilon above

        def __post_init__(self) -> None:
            """Refuse values out of range, odd sizes, grids and sizes that are named twice, and a curve of a single point.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            for name in ("grids", "sizes"):
                values = getattr(self, name)
                if not values or len(set(values)) < len(values):
                    raise ArgumentError(f"{name} must name at least one, and each once, got {values}")
            if odd := [m for m in self.sizes if m % 2]:
                raise ArgumentError(f"sizes must be even, got {odd[0]}: a point at 1/2 is as near to 0 as to 1")
            if not any(m >= SMALLEST_SIZE.get(grid, 2) for grid in self.grids for m in self.sizes):
                raise ArgumentError("lobatto_interior has no points for m = 2: name a size of 4 or more")
            if self.resolution == 1:
                raise ArgumentError("resolution must be 0 (chosen) or from 2 to 100001 points, got 1")
            if self.few >= self.many:
                raise ArgumentError(f"few must be below many, got few={self.few} and many={self.many}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """None: it takes a second."""
        return {}

    def cells(self, ctx: RunContext) -> list[Cell]:
        """One grid each, at all sizes; a size without points is left out (lobatto_interior of m = 2)."""
        grids = self.params.grids
        sizes = {grid: [m for m in self.params.sizes if m >= SMALLEST_SIZE.get(grid, 2)] for grid in grids}
        return [Cell(grid.replace("+", "-"), {"grid": grid, "sizes": sizes[grid]}) for grid in grids if sizes[grid]]

    def cost(self, ctx: RunContext) -> Cost:
        """No forwards: one small quadratic programme a classifier."""
        return Cost()

    def measure(self, ctx: RunContext, cell: Cell) -> list[GridRow]:
        """Train on one grid of each size."""
        return [row for m in cell.payload["sizes"] for row in self.train(cell.payload["grid"], m)]

    def train(self, grid: Grid, m: int) -> list[GridRow]:
        """The points of one grid, the classifier's curve and its exact numbers."""
        degree, basis, points = self.params.degree, BASES[self.params.basis], GRIDS[grid](m)
        labels = nearest_label(points)
        trained = max_margin(basis(points, degree), labels)

        def f(x: Any) -> Any:
            return basis(x, degree) @ trained.weights

        is_chebyshev = self.params.basis == "chebyshev"
        coefficients = trained.weights if is_chebyshev else polynomial.chebyshev_coefficients(f, degree)
        scores, x = (
            polynomial.extreme_scores(coefficients),
            lobatto(self.params.resolution or max(401, 12 * degree + 1)),
        )
        numbers = {
            "wrong_share": polynomial.wrong_share(f, polynomial.real_roots(coefficients)),
            "worst": round(float(scores.min()), 12) + 0.0,  # where it is at 1/2, it is 0 but for rounding
            "sup": np.abs(scores).max(), "margin": trained.margin, "support": trained.support,
            "uniform_distance": polynomial.distance_from_labels(coefficients, apart=self.params.apart),
        }  # fmt: skip

        row = partial(GridRow, basis=self.params.basis, degree=degree, grid=grid, m=m)
        return [
            *(row(quantity="label", x=float(point), value=float(y)) for point, y in zip(points, labels, strict=True)),
            *(row(quantity="curve", x=float(point), value=float(value)) for point, value in zip(x, f(x), strict=True)),
            *(row(quantity=quantity, x=math.nan, value=float(value)) for quantity, value in numbers.items()),
        ]

    def claims(self, table: Frame) -> list[Claim]:
        """What sections III.A and IV.A say of figure 2."""
        params = self.params
        wrong, distance, worst = (numbers_of(table, name) for name in ("wrong_share", "uniform_distance", "worst"))
        large_sizes = [m for m in params.sizes if m > params.degree]  # a polynomial of degree n has n + 1 coefficients
        large_range = f"m > {params.degree}"
        claims = []
        for grid in (g for g in params.grids if g in CHEBYSHEV):
            claims += [
                judge(
                    "converges", largest_of(wrong[grid, m] for m in large_sizes), "<", params.converged, subset=grid,
                    quantity=f"largest share of wrong signs, {large_range}",
                    statement='section III.A: "classifiers trained on C_m converge in the expected number of samples"',
                ),
            ]  # fmt: skip
        measured = [g for g in params.grids if g in ("equispaced", *CHEBYSHEV)]
        claims += uniform_claims(
            distance, measured, params.sizes, degree=params.degree, near=params.uniform, apart=params.apart
        )
        if "equispaced" in params.grids:
            claims += [
                judge(
                    f"no-convergence-m{m}", exact(wrong["equispaced", m]), ">", params.converged, subset="equispaced",
                    quantity=f"share of wrong signs, m = {m}",
                    statement='figure 2: E_m "does not converge even for relatively large m"',
                )
                for m in large_sizes
            ]  # fmt: skip
        for full, interior in BOUNDARY.items():
            if not {full, interior} <= set(params.grids):
                continue
            common_sizes = [m for m in params.sizes if m >= SMALLEST_SIZE.get(interior, 2)]
            claims += [
                judge(
                    name, largest_of(worst[full, m] - worst[interior, m] for m in sizes), ">", params.considerable,
                    subset=f"{full} without the ends", quantity=f"largest fall of the least y f, {size_range}",
                    statement='section IV.A: "removal of the two boundary points has a considerable negative effect"',
                )
                for name, sizes, size_range in (
                    ("boundary-few", [m for m in common_sizes if m <= params.degree], f"m <= {params.degree}"),
                    ("boundary-many", [m for m in common_sizes if m > params.degree], large_range),
                )
            ]  # fmt: skip
        return claims + delta_epsilon_claims(
            wrong, worst, few=params.few, many=params.many, vanishes=params.vanishes, stays=params.stays
        )

    def summary(self, table: Frame) -> Frame:
        """For each grid the share of wrong signs and the largest |f| at every m."""
        rows = []
        for (run, basis, degree, grid), part in table.groupby(["run", "basis", "degree", "grid"], sort=False):
            row = {"run": run, "basis": basis, "degree": degree, "grid": grid}
            for quantity, text in (("wrong_share", "wrong share"), ("worst", "least y f"), ("sup", "max |f|")):
                row |= {f"{text}, m = {m}": value for (_, m), value in numbers_of(part, quantity).items()}
            rows.append(row)
        return frame_of(rows)

    def plot(self, table: Frame) -> Figure:
        """Classifiers on Chebyshev grids above those on equispaced ones; delta, epsilon and largest values below."""
        from .figures.training_grids import trained_curves

        return trained_curves(table, self.params.drawn_grids, self.params.drawn_sizes)
