"""Hyperparameters of the signed gradient of a logit."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.attacks.gradient_search.params import GradientSearch


@dataclass(frozen=True, kw_only=True)
class Saliency(GradientSearch):
    """The signed gradient of a logit: down the label's, or up the target's (jetley2018, figure 3)."""

    needs_first_gradient = True
    targeted = "optional"
