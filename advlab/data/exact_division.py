"""Division by a number with the same bits on every device."""

from __future__ import annotations

from torch import Tensor


def divisor(number: float, values: Tensor) -> Tensor:
    """A number as a tensor () of the type and on the device of `values`, to divide them by.

    By a Python number (or a CPU tensor without dimensions) CUDA does not divide: it multiplies by the reciprocal, which for one
    grey level in eight gives another last bit than the CPU does. Images must be the same bits on every device, since the draws
    of random defenses are a hash of them.

    >>> levels = torch.tensor([41.0])
    >>> float(levels / divisor(255, levels)) == float(levels / 255)  # on the CPU; on CUDA only the former is right
    True
    """
    return values.new_full((), number)
