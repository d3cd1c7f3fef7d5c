"""The whole Jacobian of one image's features, row by row: cheaper than products with more directions than it has rows."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.geometry.jacobian import Call
from advlab.models.input_gradient import input_gradient

LARGEST = 1 << 28  # entries of a Jacobian that callers should form: 1 GiB in float32


def dense_jacobian(call: Call, x: Tensor, *, batch_size: int = 256) -> Tensor:
    """(R, D) Jacobian of the features of one image, by R backward passes.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (1, C, H, W), the image.
        batch_size: largest number of rows that one backward pass computes.

    Examples:
        The Jacobian of x -> x^2 is diagonal with the entries 2 x.

        >>> dense_jacobian(lambda x: x.flatten(1).square(), torch.tensor([[[[1.0, 3.0]]]])).tolist()
        [[2.0, 0.0], [0.0, 6.0]]
    """
    with torch.no_grad():
        outputs = call(x.clone()).shape[1]
    rows = []
    with torch.inference_mode(False), torch.enable_grad():
        for part in torch.eye(outputs, dtype=x.dtype, device=x.device).split(batch_size):
            copies = x.detach().repeat(len(part), 1, 1, 1).requires_grad_()
            outputs_of_copies = call(copies.clone())  # a copy, for a network may write to its input
            gradients = input_gradient(outputs_of_copies, copies, part.clone())
            rows.append(gradients.flatten(1))
    return torch.cat(rows)
