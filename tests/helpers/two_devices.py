"""What the tests of two devices share: tables compared row by row, and a device with little memory."""

from __future__ import annotations

import base64
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
PICTURE = "pixels"  # a column that holds an image
PIXELS_THAT_DIFFER = 0.02  # share of an image's pixels whose grey level may be the next one on a real device
TIMES = {"seconds", "run"}  # columns that differ from run to run


def is_pretended() -> bool:
    """Whether the device of this test is the pretended one, whose numbers are the CPU's."""
    return isinstance(torch.zeros(1, device="cuda"), PretendedTensor)


def same_picture(here: Any, there: Any) -> bool:
    """Whether images in whole grey levels, as base64 of uint8, are the same but for single pixels by one level.

    They are gradient ascents of dozens of steps: a value halfway between two levels is rounded up here and down there.
    """
    if is_pretended() or not (isinstance(here, str) and isinstance(there, str)):
        return bool(here == there or (pd.isna(here) and pd.isna(there)))
    a, b = (np.frombuffer(base64.b64decode(text), np.uint8).astype(int) for text in (here, there))
    return a.shape == b.shape and np.abs(a - b).max() <= 1 and np.mean(a != b) <= PIXELS_THAT_DIFFER


def agreeing_rows(here: pd.DataFrame, there: pd.DataFrame, *, rtol: float, atol: float) -> Any:
    """(n,) whether each row of one table agrees with that of the other: texts and whole numbers equal, floats close."""
    assert list(here.columns) == list(there.columns)
    assert len(here) == len(there) > 0
    agree = np.ones(len(here), bool)
    for column in set(here.columns) - TIMES:
        a, b = here[column], there[column]
        if column == PICTURE:
            agree &= [same_picture(*pictures) for pictures in zip(a, b, strict=True)]
        elif pd.api.types.is_float_dtype(a) and pd.api.types.is_float_dtype(b):
            agree &= np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        else:
            agree &= ((a == b) | (a.isna() & b.isna())).to_numpy(bool)
    return agree


def assert_same_table(here: pd.DataFrame, there: pd.DataFrame, *, least: float = 0.9) -> None:
    """Tables of the CPU and of the device agree: wholly on the pretended device, in nine rows of ten on a real one.

    A real device sums in another order, which turns a decision here and there (the nearest class of an attack, a rank).

    Args:
        here: of the CPU.
        there: of the device.
        least: share of the rows that agree on a real device.
    """
    agree = agreeing_rows(here, there, rtol=1e-3, atol=1e-4)
    assert agree.mean() >= (1.0 if is_pretended() else least), differences(here[~agree], there[~agree])


def differences(here: pd.DataFrame, there: pd.DataFrame) -> str:
    """What differs in rows of two tables, row by row: the columns' values on the CPU and on the device."""
    lines = []
    for place, (a, b) in enumerate(zip(here.itertuples(), there.itertuples(), strict=True)):
        pairs = ((name, getattr(a, name), getattr(b, name)) for name in set(here.columns) - TIMES)
        told = [f"{name} {str(x)[:40]} / {str(y)[:40]}" for name, x, y in sorted(pairs) if str(x) != str(y)]
        lines.append(f"row {here.index[place]} (cpu / cuda): " + ", ".join(told))
    return "; ".join(lines)


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
