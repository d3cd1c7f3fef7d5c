"""What holds while a network is differentiated twice, and what is said of one that cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch.nn.attention import SDPBackend, sdpa_kernel

from advlab.errors import ArgumentError
from advlab.models.forward import out_of_memory

NO_GRADIENT = (
    "the network's outputs have no gradient with respect to the images: it must be differentiable, and call neither detach nor "
    "torch.no_grad"
)
#: parts of what torch says of operations without a second derivative
MISSING = (
    "is not implemented", "once_differentiable", "use_reentrant", "double backward", "does not require grad",
    "does not have a grad_fn", "differentiable twice", "not have been used in the graph",
)  # fmt: skip


@contextlib.contextmanager
def differentiable_twice(remedy: str = "") -> Iterator[None]:
    """Attention is computed by its plain formula in the block: torch's fused kernels have no second derivative.

    Args:
        remedy: ends the message, such as `: ...`.

    Raises:
        ArgumentError: some operation of the network has none.

    >>> import torch
    >>> q = torch.rand(1, 1, 3, 2, requires_grad=True)
    >>> with differentiable_twice():
    ...     attended = torch.nn.functional.scaled_dot_product_attention(q, q, q)
    ...     (gradient,) = torch.autograd.grad(attended.sum(), q, create_graph=True)
    ...     (product,) = torch.autograd.grad(gradient.square().sum(), q)
    >>> product.shape
    torch.Size([1, 1, 3, 2])
    """
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    except (RuntimeError, NotImplementedError) as error:  # as torch tells a missing derivative; others go on
        said = " ".join(str(error).split())
        if isinstance(error, ArgumentError) or out_of_memory(error) or not any(part in said for part in MISSING):
            raise
        reason = said.partition(". ")[0][:200]
        raise ArgumentError(f"the network cannot be differentiated twice ({reason}){remedy}") from error
