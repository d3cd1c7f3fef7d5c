"""Figure 1 of barati2021: the maximum-margin classifiers of two points in the bases of Bernstein and of Chebyshev."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, RunContext, frame_of
from advlab.polynomials.grids import NODES, lobatto
from advlab.polynomials.polynomial import largest_value, longest_interval, wrong_share
from advlab.polynomials.two_points import bernstein_classifier, chebyshev_classifier, chebyshev_classifier_roots
from advlab.statistics import NOT_MEASURED, Claim, exact, judge

from .critical_points import critical_point_claims, critical_point_numbers

LARGEST_DEGREE = 1000
NONE_WRONG = 1e-9  # shares of [0, 1] below are zero up to rounding


@dataclass(frozen=True)
class TwoPointRow:
    """One number of a classifier: its value at one point, or one about all of [0, 1]."""

    basis: str  # bernstein: f_n; chebyshev: g_n; difference: g_n - f_n
    degree: int  # n
    #: curve: the classifier at x; wrong_share: of [0, 1], where its sign is not that of x - 1/2, which is f_n's;
    #: sign_changes; longest_piece: without one; sup: largest |value|; sup_inside: likewise on [inside, 1 - inside];
    #: at_point: |value| at experiment.point; critical: the difference at an extremum inside (0, 1); from_roots,
    #: from_next_roots, from_lobatto, from_equispaced: largest distance from such an extremum to that grid
    quantity: str
    x: float  # in [0, 1]; nan for numbers about all of it
    value: float


class BernsteinChebyshev(Experiment[RunContext]):
    """Figure 1: the same two points, the same margin, another basis (section III.A).

    Compares f_n (eq 5) with g_n (eq 7) for S = {(0, -), (1, +)}. g_n is the true maximum-margin solution: for even n
    its scale is 2 / n, where eq 7 has 2 / (n + 1), which is not of margin 1. All numbers follow from closed forms.
    """

    name: ClassVar[str] = "bernstein_chebyshev"
    paper: ClassVar[str] = "barati2021, figure 1"
    title: ClassVar[str] = "Maximum-margin classifiers of two points in the bases of Bernstein and of Chebyshev"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = TwoPointRow
    summary_keys: ClassVar[tuple[str, ...]] = ("degree",)
    version: ClassVar[int] = 2

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Degrees, where to look, and thresholds of the claims: round numbers, the paper gives none."""

        #: n; the paper: "a few members"; no constant tells 0 from 1
        degrees: list[Annotated[int, Interval(ge=1, le=LARGEST_DEGREE)]] = field(
            default_factory=lambda: [1, 3, 5, 9, 31]
        )
        #: points of a curve, denser towards the ends; 0: 12 a half-wave, and at least 401
        resolution: Annotated[int, Interval(ge=0, le=100_001)] = 0
        #: away from the ends by so much, both sequences converge uniformly
        inside: Annotated[float, Gt(0), Lt(0.5)] = 0.1
        point: Annotated[float, Gt(0), Lt(1)] = 0.4  # one point, where both converge
        half: Annotated[float, Gt(0), Lt(1)] = 0.5  # "at most half of the time": share of agreement below
        large: Annotated[int, Ge(1)] = 30  # "for a large n": from here on
        dense: Annotated[float, Gt(0)] = 0.1  # "become dense": longest interval without a change of sign below
        #: "uniform convergence": largest distance from the limit, at the largest n, below
        uniform: Annotated[float, Gt(0)] = 0.1
        #: "reflecting the position of the critical points": largest distance from one to a grid, in half largest gaps, below
        reflect: Annotated[float, Gt(0), Lt(1)] = 0.5

        def __post_init__(self) -> None:
            """Refuse values out of range, degrees that are named twice, and a curve of a single point.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.degrees or len(set(self.degrees)) < len(self.degrees):
                raise ArgumentError(f"degrees must be named once each, got {self.degrees}")
            if self.resolution == 1:
                raise ArgumentError("resolution must be 0 (chosen) or from 2 to 100001 points, got 1")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """None: it takes no time."""
        return {}

    def cells(self, ctx: RunContext) -> list[Cell]:
        """One degree each."""
        return [Cell(f"degree-{n}", {"degree": n}) for n in self.params.degrees]

    def cost(self, ctx: RunContext) -> Cost:
        """No forwards: polynomials of one variable."""
        return Cost()

    def measure(self, ctx: RunContext, cell: Cell) -> list[TwoPointRow]:
        """Curve and exact numbers of f_n and g_n, and where their difference is critical."""
        n, params = cell.payload["degree"], self.params
        x = lobatto(params.resolution or max(401, 12 * n + 1))
        rows = []
        for basis, classifier, roots in (
            ("bernstein", partial(bernstein_classifier, degree=n), np.array([0.5])),
            ("chebyshev", partial(chebyshev_classifier, degree=n), chebyshev_classifier_roots(n)),
        ):
            numbers = {
                "wrong_share": wrong_share(classifier, roots),
                "sign_changes": len(roots),
                "longest_piece": longest_interval(classifier, roots),
                "sup": largest_value(classifier, n),
                "sup_inside": largest_value(classifier, n, low=params.inside, high=1 - params.inside),
                "at_point": abs(float(classifier(np.array([params.point]))[0])),
            }
            rows += [
                TwoPointRow(basis=basis, degree=n, quantity="curve", x=float(point), value=float(value))
                for point, value in zip(x, classifier(x), strict=True)
            ]
            rows += [
                TwoPointRow(basis=basis, degree=n, quantity=quantity, x=math.nan, value=value)
                for quantity, value in numbers.items()
            ]
        return rows + [
            TwoPointRow(basis="difference", degree=n, quantity=quantity, x=x, value=value)
            for quantity, x, value in critical_point_numbers(n)
        ]

    def claims(self, table: Frame) -> list[Claim]:
        """What sections III.A and III.B say of the two sequences."""
        params = self.params
        numbers = numbers_of(table)
        degrees = list(dict.fromkeys(table["degree"]))
        last = max(degrees)
        section = "section III.A: "
        limit = f"sup over (0, 1) of |{{}}_{last} - its limit 0|"
        claims = [
            judge(
                f"at-most-half-n{n}", exact(1 - numbers["chebyshev", n, "wrong_share"]), "<", params.half,
                subset="chebyshev", quantity=f"share of [0, 1] where g_{n} has the sign of f_{n}",
                statement=section + '"predictions of g_n agrees with f_n at most half of the time"',
            )
            for n in degrees
            if n > 2  # up to 2 both are linear, and the same
        ]  # fmt: skip
        longest = numbers["chebyshev", last, "longest_piece"]
        claims += [
            judge(
                "dense", exact(longest) if last >= params.large else NOT_MEASURED, "<", params.dense, subset="chebyshev",
                quantity=f"longest interval where g_{last} keeps its sign",
                statement=section + '"for a large n, the points that do not agree become dense in the points that do"',
            ),
            judge(
                "not-uniform", exact(numbers["chebyshev", last, "sup"]), ">", params.uniform, subset="chebyshev",
                quantity=limit.format("g"), statement='figure 1: "convergence of Chebyshev polynomials is not uniform"',
            ),
            judge(
                "uniform", exact(numbers["bernstein", last, "sup"]), "<", params.uniform, subset="bernstein",
                quantity=limit.format("f"), statement=section + 'Bernstein polynomials "guarantee uniform convergence"',
            ),
            judge(
                "robust", exact(max(numbers["bernstein", n, "wrong_share"] for n in degrees)), "<", NONE_WRONG,
                subset="bernstein", quantity="share of [0, 1] where some f_n has not the sign of x - 1/2",
                statement=section + '"f_n is robust and does not show any adversarial regions"',
            ),
        ]  # fmt: skip
        return claims + critical_point_claims(numbers, last, params.reflect)

    def summary(self, table: Frame) -> Frame:
        """For each degree: agreement, changes of sign, and how large both classifiers are away from the ends."""
        params, rows = self.params, []
        for (run, n), part in table.groupby(["run", "degree"], sort=False):
            numbers = numbers_of(part)
            inside = f"[{params.inside:g}, {1 - params.inside:g}]"
            f, g = (
                {name: numbers[basis, n, name] for name in ("wrong_share", "sign_changes", "sup_inside", "at_point")}
                for basis in ("bernstein", "chebyshev")
            )
            rows.append(
                {
                    "run": run, "degree": n, "share where signs agree": 1 - g["wrong_share"],
                    "sign changes of f": int(f["sign_changes"]), "sign changes of g": int(g["sign_changes"]),
                    f"max |f| on {inside}": f["sup_inside"], f"max |g| on {inside}": g["sup_inside"],
                    f"|f({params.point:g})|": f["at_point"], f"|g({params.point:g})|": g["at_point"],
                }
                | {
                    f"extremum of g - f to {name}": numbers.get(("difference", n, f"from_{name}"), math.nan)
                    for name in NODES
                }
            )  # fmt: skip
        return frame_of(rows)

    def plot(self, table: Frame) -> Figure:
        """f_n and g_n for each degree, the regions where their signs differ, and how fast both vanish inside."""
        from .figures.bernstein_chebyshev import two_point_curves

        return two_point_curves(table)


def numbers_of(table: Frame) -> dict[tuple[str, int, str], float]:
    """(basis, degree, quantity) -> value, of all rows but those of points."""
    rows = table[~table["quantity"].isin(["curve", "critical"])]
    return dict(zip(zip(rows["basis"], rows["degree"], rows["quantity"], strict=True), rows["value"], strict=True))
