"""Rows of a table with hostile texts and numbers, and how two lists of them are compared, bit by bit."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """A line of the test's table."""

    name: str
    count: int
    value: float
    flag: bool


HOSTILE = [
    "plain", "", " ", "a,b", 'say "hi"', '"', '""', "two\nlines", "carriage\rreturn", "both\r\n", "\n", "\r", "=cmd|' /C calc'!A0",
    "+1", "-1", "@SUM(A1)", "\tx", "nan", "NA", "None", "true", "1e5", "007", "ü", "日本語", "🙂", "\u2028", "\x00", "\ufeff", "#x",
    "<img onerror=alert(1)>", "a" * 10_000, "'quoted'", ";", "\\", "\\n", "\x85",
]  # fmt: skip
FLOATS = [
    0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, math.pi, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e16, 1e22,
    math.nan, math.inf, -math.inf, np.nextafter(1, 2), 1e-9, float(np.float32(0.1)),
]  # fmt: skip


def bits(value: float) -> bytes:
    """The eight bytes of a float; all NaN are one."""
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def same_rows(a: list[Any], b: list[Any]) -> None:
    """Assert equal texts, counts and flags, of their types, and equal bits of values."""
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        assert (left.name, left.count, left.flag) == (right.name, right.count, right.flag)
        assert type(right.count) is int
        assert type(right.flag) is bool
        assert bits(left.value) == bits(right.value)


ROWS = [Row(text, i - 3, FLOATS[i % len(FLOATS)], i % 2 == 0) for i, text in enumerate(HOSTILE)]
