"""How often the host waits for the device: counted by torch on a CUDA device, by kind of call on the pretended one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from tests.helpers.pretended_tensors import READS, PretendedTensor
from tests.helpers.two_devices import is_pretended

NO_WAIT = {Tensor.__deepcopy__, Tensor.__len__, Tensor.is_same_size}  # of what reads
OF_UNKNOWN_SIZE = {"nonzero", "masked_select", "unique", "argwhere", "equal", "allclose"}  # or a number for the host
FROM_NUMBERS = {"tensor", "as_tensor", "asarray"}  # numbers of the host, copied to the device


class Waits(TorchFunctionMode):
    """Counts calls for which the host waits: numbers and copies from the device, copies to it, results of unknown size."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if waits(func, args, kwargs or {}, result):
            self.calls.append(getattr(func, "__name__", str(func)))
        return result


def waits(func: Any, args: Any, kwargs: Any, result: Any) -> bool:
    """Whether CUDA lets the host wait in a call that gave this result."""
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__") or func in NO_WAIT:
        return False
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
    made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
    if not there and not any(isinstance(tensor, PretendedTensor) for tensor in made):
        return False
    if name in FROM_NUMBERS and not tensors:
        return True
    copied = any(not isinstance(tensor, PretendedTensor) and tensor.dim() for tensor in [*tensors, *made])
    return (
        copied
        or func in READS
        or name in OF_UNKNOWN_SIZE
        or (name in ("__getitem__", "__setitem__") and unsized(args[1]))
    )


def unsized(index: Any) -> bool:
    """Whether an index is a mask, or numbers of the host."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(x, list) or (isinstance(x, Tensor) and x.dtype == torch.bool) for x in parts)


@contextmanager
def counted_waits() -> Iterator[Callable[[], int]]:
    """Gives a function that says how often the host has waited in the block so far."""
    if is_pretended():
        with Waits() as mode:
            yield lambda: len(mode.calls)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield lambda: sum("synchronizing" in str(warning.message) for warning in caught)
        finally:
            torch.cuda.set_sync_debug_mode("default")
