"""An attack: one step along the sign of the margin's gradient.

advlab --plugin examples/attack.py attack=margin_step experiment=attack_survey run.preset=tiny
advlab --plugin examples/attack.py -m attack=margin_step attack.epsilon=0.02,0.1 experiment=attack_survey
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Le

import advlab

if TYPE_CHECKING:  # a plug-in is loaded to be listed as well, which need not wait for torch
    from torch import Tensor


@advlab.attack("margin_step", norm="linf")
def margin_step(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    bounds: tuple[float, float],
    targets: Tensor | None = None,
    epsilon: Annotated[float, Gt(0), Le(1)] = 0.05,
) -> Tensor:
    """One step in the largest norm that raises the strongest other logit, or that of the target, over the label's.

    As the fast gradient sign method (Goodfellow et al. 2015, section 4), with the margin in place of the loss: on a linear
    network with two classes no perturbation of that norm does more. `epsilon` is the change of every pixel as a share of
    the pixel range; what leaves the range is clipped afterwards by advlab.

    Args:
        model: (n, C, H, W) images to (n, K) logits, differentiable.
        x: (n, C, H, W) images of one batch, inside `bounds`.
        y: (n,) classes to leave.
        bounds: lowest and highest pixel value.
        targets: (n,) classes to reach; None: any other.
        epsilon: length of the step.
    """
    import torch

    x = x.clone().requires_grad_()
    logits, own = model(x), y[:, None]
    others = logits.scatter(1, own, -torch.inf).amax(1) if targets is None else logits.gather(1, targets[:, None])[:, 0]
    margin = others - logits.gather(1, own)[:, 0]
    (gradient,) = torch.autograd.grad(margin.sum(), x)
    return x.detach() + epsilon * (bounds[1] - bounds[0]) * gradient.sign()
