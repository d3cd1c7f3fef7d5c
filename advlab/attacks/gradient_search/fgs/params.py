"""Hyperparameters of the fast gradient sign."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.attacks.gradient_search.params import LossGradientSearch


@dataclass(frozen=True, kw_only=True)
class FGS(LossGradientSearch):
    """Fast gradient sign: x + w sign(grad J) (Goodfellow et al. 2015), w the smallest that flips (gunther2017, 1.2)."""
