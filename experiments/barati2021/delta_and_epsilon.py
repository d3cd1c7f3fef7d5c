"""Section III.A of barati2021: more points make errors rarer (delta), and not as fast smaller (epsilon)."""

from __future__ import annotations

from collections.abc import Mapping

from advlab.statistics import Claim, exact, judge

Numbers = Mapping[tuple[str, int], float]  # (grid, m) -> value

STATEMENT = (
    'section III.A: "the probability delta of the classifier making an error approaches zero, but the maximum possible error '
    'epsilon [...] does not vanish as fast as delta as we draw more samples from a sub-optimal training distribution"'
)


def delta_epsilon_claims(
    wrong_share: Numbers, worst: Numbers, *, few: int, many: int, vanishes: float, stays: float
) -> list[Claim]:
    """What is left of delta and epsilon on E_m when it grows from one size to another, and on the roots of T*_m as a control.

    delta is the share of [0, 1] with a wrong sign. epsilon is the depth of the worst of these errors, max(0, -least y f), where the
    margin is 1.

    Args:
        wrong_share: delta.
        worst: the least y f.
        few: the smaller m.
        many: the larger m.
        vanishes: delta approaches zero: what is left of it, as a fraction, below.
        stays: epsilon does not: what is left of it above.

    Returns:
        no claims where a size was not measured, or where the smaller one has no errors.
    """
    claims = []
    if {("equispaced", few), ("equispaced", many)} <= set(wrong_share) and wrong_share["equispaced", few] > 0:
        delta = wrong_share["equispaced", many] / wrong_share["equispaced", few]
        epsilon = depth(worst["equispaced", many]) / depth(worst["equispaced", few])
        grown = f"at m = {many} / at m = {few}"
        claims += [
            judge(
                "delta-vanishes", exact(delta), "<", vanishes, subset="equispaced", statement=STATEMENT,
                quantity=f"delta, the share of wrong signs, {grown}",
            ),
            judge(
                "epsilon-stays", exact(epsilon), ">", stays, subset="equispaced", statement=STATEMENT,
                quantity=f"epsilon, the depth -y f of the worst error, {grown}",
            ),
            judge(
                "epsilon-slower", exact(epsilon - delta), ">", 0.0, subset="equispaced", statement=STATEMENT,
                quantity=f"what is left of epsilon less what is left of delta, {grown}",
            ),
        ]  # fmt: skip
    if {("roots", few), ("roots", many)} <= set(wrong_share) and wrong_share["roots", few] > 0:
        claims.append(
            judge(
                "control-epsilon-vanishes", exact(depth(worst["roots", many]) / depth(worst["roots", few])), "<", vanishes,
                subset="roots", statement="control: on the Chebyshev grid, which is not sub-optimal, epsilon vanishes as well",
                quantity=f"epsilon, the depth -y f of the worst error, at m = {many} / at m = {few}",
            )
        )  # fmt: skip
    return claims


def depth(least_score: float) -> float:
    """How far below 0 the least y f lies; 0 where no sign is wrong."""
    return max(0.0, -least_score)
