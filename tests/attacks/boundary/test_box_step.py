"""The shortest step to a linear boundary inside the box, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from advlab.attacks.boundary.box_step import box_step


@pytest.mark.parametrize("seed", range(5))
def test_the_box_step_is_the_shortest(seed: int) -> None:
    """Against scipy's SLSQP on the same quadratic programme."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(1, 1, 2, 3, generator=generator, dtype=torch.float64)
    x = torch.rand(1, 1, 2, 3, generator=generator, dtype=torch.float64)
    most = float((torch.where(w > 0, 1 - x, -x) * w).sum())
    gap = torch.tensor([0.7 * most], dtype=torch.float64)
    step, reached = box_step(w, gap, x, (0.0, 1.0))
    assert bool(reached)
    assert float((w * step).sum()) == pytest.approx(float(gap), rel=1e-5)
    assert float((x + step).min()) >= 0
    assert float((x + step).max()) <= 1
    flat, start = w.flatten().numpy(), x.flatten().numpy()
    found = minimize(
        lambda s: float(s @ s), np.zeros(6), jac=lambda s: 2 * s, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
        bounds=list(zip(-start, 1 - start, strict=True)),
        constraints=[{"type": "eq", "fun": lambda s: float(flat @ s) - float(gap), "jac": lambda s: flat}],
    )  # fmt: skip
    assert float(step.norm()) == pytest.approx(float(np.linalg.norm(found.x)), rel=1e-4)


def test_the_box_step_says_what_is_out_of_reach() -> None:
    w, x = torch.ones(1, 1, 1, 2), torch.full((1, 1, 1, 2), 0.5)
    step, reached = box_step(w, torch.tensor([3.0]), x, (0.0, 1.0))
    assert not bool(reached)
    assert step.flatten().tolist() == [0.5, 0.5]
