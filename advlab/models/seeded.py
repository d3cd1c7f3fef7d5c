"""The global random numbers of torch, numpy and Python under a seed, for code that draws from them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Set the global random numbers by a seed; after the block they are as before.

    Args:
        seed: of all three.
        device: whose numbers are kept beside the CPU's; None: the current CUDA device, if CUDA has begun.

    >>> def draws():
    ...     return torch.rand(1).item(), np.random.rand(), random.random()
    >>> with seeded(3):
    ...     first = draws()
    >>> with seeded(3):
    ...     print(draws() == first)
    True
    """
    # numpy's global state (NPY002) is what factories and other libraries draw from
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    devices: list[torch.device | int] = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    if device is not None:
        devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
