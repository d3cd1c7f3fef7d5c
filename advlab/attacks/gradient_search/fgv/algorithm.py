"""Along the values of the loss's gradient (Rozsa et al. 2016)."""

from __future__ import annotations

from advlab.attacks.gradient_search.along_gradient import attack_along, first_gradient
from advlab.attacks.gradient_search.fgv.params import FGV
from advlab.attacks.gradient_search.loss_gradient import first_cotangent
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult

__all__ = ["first_cotangent", "run"]


def run(problem: Problem, params: FGV) -> AlgorithmResult:
    """x + w grad J / max|grad J|, J the cross-entropy of the label; with targets, down that of the target."""
    return attack_along(problem, params, first_gradient(problem, params))
