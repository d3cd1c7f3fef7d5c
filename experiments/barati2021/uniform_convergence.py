"""Section III.A of barati2021: on which grids the trained polynomial comes near its labels everywhere, and for how many points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advlab.statistics import Claim, exact, judge

from .grid_numbers import largest_of

GUARANTEE = 'section III.A: "Chebyshev polynomials guarantee uniform convergence on a Chebyshev grid"'


def uniform_claims(
    distance: Mapping[tuple[str, int], float],
    grids: Sequence[str],
    sizes: Sequence[int],
    *,
    degree: int,
    near: float,
    apart: float,
) -> list[Claim]:
    """Whether f comes near the labels on Chebyshev grids, for the fewest points that may suffice and for more, and not on E_m.

    A polynomial of degree n has n + 1 coefficients: from m = n points on, one may expect it to follow. Convergence is about all
    sizes from there on, since a polynomial of fixed degree that reaches its margin at ever more points overshoots.

    Args:
        distance: (grid, m) -> largest |f - label| away from the jump of the labels, at 1/2.
        grids: the Chebyshev grids, and `equispaced` for its own statement.
        sizes: m, those that were measured on all of them.
        degree: n.
        near: "uniform convergence": the distance is below.
        apart: from 1/2, where the distance is taken.
    """
    first, large = sorted(m for m in sizes if m >= degree)[:1], [m for m in sizes if m > degree]
    words, claims = f"largest |f - label| where |x - 1/2| >= {apart:g}", []
    for grid in (grid for grid in grids if grid != "equispaced"):
        claims += [
            judge(
                name, largest_of(distance[grid, m] for m in chosen), "<", near, subset=grid,
                quantity=f"{words}, {which}", statement=GUARANTEE + more,
            )
            for name, chosen, which, more in (
                ("uniform", first, f"the first m >= {degree}", ""),
                ("uniform-for-all-m", large, f"the worst m > {degree}", ": also when more points are added"),
            )
        ]  # fmt: skip
    if "equispaced" in grids and large:
        claims.append(
            judge(
                "not-uniform", exact(min(distance["equispaced", m] for m in large)), ">", near, subset="equispaced",
                quantity=f"{words}, the best m > {degree}",
                statement='section III.A: "in case of E_m, uniform convergence does not occur even for relatively large m"',
            )
        )  # fmt: skip
    return claims
