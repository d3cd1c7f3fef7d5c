"""Along the sign of the loss's gradient (Goodfellow et al. 2015)."""

from __future__ import annotations

from advlab.attacks.gradient_search.along_gradient import attack_along, first_gradient
from advlab.attacks.gradient_search.fgs.params import FGS
from advlab.attacks.gradient_search.loss_gradient import first_cotangent
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult

__all__ = ["first_cotangent", "run"]


def run(problem: Problem, params: FGS) -> AlgorithmResult:
    """x + w sign(grad J), J the cross-entropy of the label; with targets, down that of the target."""
    return attack_along(problem, params, first_gradient(problem, params), signs=True)
