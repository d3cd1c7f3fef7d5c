"""The whole Jacobian of one image's features, row by row: cheaper than its products with many directions."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.geometry.jacobian import Call

LARGEST = 1 << 28  # entries: 1 GiB in float32


def dense_jacobian(call: Call, x: Tensor, *, batch_size: int = 256) -> Tensor:
    """(R, D) Jacobian of the features of one image, R backward passes.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (1, C, H, W), the image.
        batch_size: rows at a time, at most.
    """
    with torch.no_grad():
        outputs = call(x.clone()).shape[1]
    rows = []
    with torch.inference_mode(False), torch.enable_grad():
        for part in torch.eye(outputs, dtype=x.dtype, device=x.device).split(batch_size):
            copies = x.detach().repeat(len(part), 1, 1, 1).requires_grad_()
            (found,) = torch.autograd.grad(
                call(copies.clone()), copies, part.clone()
            )  # a network may write to its input
            rows.append(found.flatten(1))
    return torch.cat(rows)
