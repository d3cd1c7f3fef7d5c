"""Quotients of the pretended CUDA device (see tests/helpers/pretended_cuda.py), in whose last bit CUDA differs from the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

DIVISIONS = {"div", "divide", "true_divide", "__truediv__", "__itruediv__", "div_", "divide_", "true_divide_"}


def computed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`func(*args, **kwargs)`; but a tensor over a number, or over a CPU tensor (), is the product with the reciprocal.

    So do torch's kernels for CUDA (div_true_kernel_cuda); only a divisor on the device divides.
    """
    name = getattr(func, "__name__", "")
    if name not in DIVISIONS or len(args) < 2 or kwargs.get("rounding_mode") is not None:
        return func(*args, **kwargs)
    x, number = args[:2]
    of_the_host = isinstance(number, int | float) or (type(number) is Tensor and number.dim() == 0)
    if not of_the_host or not isinstance(x, Tensor) or x.dtype not in (torch.float32, torch.float64, torch.uint8):
        return func(*args, **kwargs)
    kind = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    reciprocal = float(torch.ones((), dtype=kind) / torch.tensor(float(number), dtype=kind))
    return x.mul_(reciprocal) if in_place(name) else torch.mul(x, reciprocal, **kwargs)


def in_place(name: str) -> bool:
    """Whether a method of this name writes into its tensor, as `add_` and `__iadd__` do."""
    if name.startswith("__"):
        return name.startswith("__i") and name not in ("__invert__", "__iter__")
    return name.endswith("_")
