"""Hyperparameters of the fast gradient value."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.attacks.gradient_search.params import LossGradientSearch


@dataclass(frozen=True, kw_only=True)
class FGV(LossGradientSearch):
    """Fast gradient value: x + w grad J / max|grad J| (Rozsa et al. 2016), w the smallest that flips (gunther2017, 1.2)."""
