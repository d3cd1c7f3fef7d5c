"""What an attack says that it costs."""

from __future__ import annotations

from advlab.attacks import FGS, FGV, LBFGS, PGD, DeepFool, HotCold


def test_prices_follow_the_hyperparameters() -> None:
    """What the dry plan multiplies: by hyperparameter and number of classes, from the definitions of the attacks."""
    assert FGS().estimated_cost(10)[1] == 1
    assert FGS(exhaustive=True).estimated_cost(10)[0] == 256
    assert FGV(epsilon=0.1).estimated_cost(10) == (1, 1)
    assert HotCold(hot=0).estimated_cost(1000)[1] == 999
    assert PGD(steps=7, restarts=3).estimated_cost(10) == (21, 21)
    assert LBFGS(searches=4, max_iter=9).estimated_cost(10) == (36, 36)
    assert DeepFool(exact=True, max_iter=5).estimated_cost(10)[1] > 3 * DeepFool(max_iter=5).estimated_cost(10)[1]
    assert DeepFool(refine=True, refinements=30).estimated_cost(10)[1] >= 30
