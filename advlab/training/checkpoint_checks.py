"""What a checkpoint must hold to be taken: a stranger may have written it, and its seal proves that it is whole, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from advlab.training.epochs import EpochLog


def check_shapes(values: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse tensors of other names, shapes or types.

    Raises:
        ValueError: names one.
    """
    if odd := sorted(values.keys() ^ wanted.keys()):
        raise ValueError(f"{odd[0]!r} is {'missing' if odd[0] in wanted else 'not of this training'}")
    for name, value in wanted.items():
        if (values[name].shape, values[name].dtype) != (value.shape, value.dtype):
            raise ValueError(f"{name!r} has the shape {tuple(values[name].shape)} of {values[name].dtype}")


def is_number(value: Any, kind: type = float) -> bool:
    """Whether a value of JSON is a finite number; with `kind` int, a whole one from 0 that fits 64 bits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) and 0 <= value < 2**62 if kind is int else abs(value) < 1e300


def epoch_log(entry: Any) -> EpochLog:
    """The epoch that an entry of JSON tells.

    Raises:
        ValueError: it is none.
    """
    names = EpochLog.__dataclass_fields__
    if not isinstance(entry, dict) or entry.keys() != names.keys() or not all(map(is_number, entry.values())):
        raise ValueError("an epoch is told otherwise")
    return EpochLog(**entry)


def checked_sums(sums: Any) -> dict[str, Any]:
    """The sums of a meter.

    Raises:
        ValueError: they are none.
    """
    whole = {"correct", "steps", "images"}
    wanted = whole | {"loss_sum", "seconds"}
    if not isinstance(sums, dict) or sums.keys() != wanted:
        raise ValueError("the sums of its epoch are told otherwise")
    if not all(is_number(value, int if name in whole else float) for name, value in sums.items()):
        raise ValueError("the sums of its epoch are no numbers")
    return sums
