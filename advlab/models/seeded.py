"""The global random numbers of torch, numpy and Python under a seed, for code that draws from them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set the global random numbers by a seed; after the block they are as before.

    >>> def draws():
    ...     return torch.rand(1).item(), np.random.rand(), random.random()
    >>> with seeded(3):
    ...     first = draws()
    >>> with seeded(3):
    ...     print(draws() == first)
    True
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - what factories draw from
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - likewise
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002 - likewise
            random.setstate(python_state)
