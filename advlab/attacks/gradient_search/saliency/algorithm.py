"""Along the signed gradient of a logit (jetley2018, figure 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.gradient_search.along_gradient import attack_along, first_gradient
from advlab.attacks.gradient_search.saliency.params import Saliency
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult


def run(problem: Problem, params: Saliency) -> AlgorithmResult:
    """Down the gradient of the label's logit; with targets, up that of the target's."""
    return attack_along(problem, params, first_gradient(problem, params))


def first_cotangent(params: Saliency, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) cotangent of the logit that is to fall or, with targets, to rise."""
    wanted, sign = (labels, -1.0) if targets is None else (targets, 1.0)
    return torch.zeros_like(logits).scatter_(1, wanted[:, None], sign)
