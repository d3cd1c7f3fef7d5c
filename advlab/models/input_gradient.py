"""Gradients with respect to images, also of networks that compute parts again on the way back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

REENTRANT = "CheckpointFunctionBackward"  # torch.utils.checkpoint with use_reentrant=True


def input_gradient(
    outputs: Tensor, x: Tensor, cotangent: Tensor | None = None, *, retain_graph: bool = False
) -> Tensor:
    """Gradient of sum(cotangent * outputs) with respect to x, in the shape of x.

    Of a network with reentrant checkpoints, which torch.autograd.grad refuses, it is taken by `backward`. Parameters that
    take gradients then get them too: freeze them before.

    Args:
        outputs: with a graph that begins at `x`.
        x: a leaf that takes gradients; its `.grad` is None before and after.
        cotangent: in the shape of `outputs`; None: outputs is one number.
        retain_graph: further gradients will be asked for.

    >>> x = torch.ones(2, requires_grad=True)
    >>> input_gradient((3 * x).sum(), x).tolist()
    [3.0, 3.0]
    """
    if not has_operation(outputs, REENTRANT):
        (gradient,) = torch.autograd.grad(outputs, x, cotangent, retain_graph=retain_graph)
        return gradient
    torch.autograd.backward(outputs, cotangent, retain_graph=retain_graph)
    accumulated, x.grad = x.grad, None
    assert accumulated is not None
    return accumulated


def has_operation(outputs: Tensor, name: str) -> bool:
    """Whether the graph of a tensor has a node of a name."""
    waiting: list[Any] = [outputs.grad_fn]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == name:
            return True
        waiting += [following for following, _ in node.next_functions]
    return False
