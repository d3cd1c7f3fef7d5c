"""What the tests of two devices share: tables compared row by row, and a device with little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tests.helpers.pretended_cuda import pretended_cuda
from tests.helpers.pretended_tensors import PretendedTensor

SPARE = 64 << 20  # bytes that a real device keeps free of ballast
TIMES = {"seconds", "run"}  # columns that differ from run to run


def is_pretended() -> bool:
    """Whether the device of this test is the pretended one, whose numbers are the CPU's."""
    return isinstance(torch.zeros(1, device="cuda"), PretendedTensor)


def agreeing_rows(here: pd.DataFrame, there: pd.DataFrame, *, rtol: float, atol: float) -> Any:
    """(n,) whether each row of one table agrees with that of the other: texts and whole numbers equal, floats close."""
    assert list(here.columns) == list(there.columns)
    assert len(here) == len(there) > 0
    agree = np.ones(len(here), bool)
    for column in set(here.columns) - TIMES:
        a, b = here[column], there[column]
        if pd.api.types.is_float_dtype(a) and pd.api.types.is_float_dtype(b):
            agree &= np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        else:
            agree &= ((a == b) | (a.isna() & b.isna())).to_numpy(bool)
    return agree


def assert_same_table(here: pd.DataFrame, there: pd.DataFrame) -> None:
    """Tables of the CPU and of the device agree: wholly on the pretended device, in nine rows of ten on a real one.

    A real device sums in another order, which turns a decision here and there (the nearest class of an attack, a rank).
    """
    agree = agreeing_rows(here, there, rtol=1e-3, atol=1e-4)
    least = 1.0 if is_pretended() else 0.9
    assert agree.mean() >= least, pd.concat([here[~agree], there[~agree]], keys=["cpu", "cuda"]).to_string()


def largest_difference(here: Tensor, there: Tensor) -> float:
    """Largest absolute difference between a tensor of the CPU and one of the device."""
    assert there.device.type == "cuda"
    return float((here.double() - there.cpu().double()).abs().max())


@contextmanager
def small_device(memory: int) -> Iterator[None]:
    """A device on which no result above `memory` bytes fits: the pretended one, or a real one filled with ballast."""
    if not torch.cuda.is_available():
        with pretended_cuda(memory):
            yield
        return
    x = torch.rand((1, 1, 8, 8), device="cuda")
    torch.conv2d(x @ x, x[..., :3, :3])  # loads libraries, which take memory of their own
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    ballast = torch.empty(max(0, free - memory - SPARE), dtype=torch.uint8, device="cuda")
    yield
    del ballast
    torch.cuda.empty_cache()
