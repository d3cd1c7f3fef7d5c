"""At how many singular directions a subspace is measured."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.errors import ConfigError

SMALL = (1, 2, 5)  # and their multiples by powers of ten, where few directions make a difference


def ladder(limit: int) -> list[int]:
    """Numbers of directions below `limit`: tenths of it, .95 and .98 of it, and 1, 2, 5, 10, 20, ... up to its tenth.

    >>> ladder(100)
    [1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98]
    >>> ladder(1)
    []
    """
    few = {step * 10**power for power in range(len(str(limit))) for step in SMALL}
    tenths = {round(limit * percent / 100) for percent in (*range(10, 100, 10), 95, 98)}
    return sorted(d for d in {d for d in few if 10 * d <= limit} | tenths if 0 < d < limit)


def dimensions(typed: Sequence[int], limit: int) -> list[int]:
    """The typed numbers of directions that are below `limit`, ascending; of none the ladder. All `limit` of them are extra.

    Raises:
        ConfigError: a typed number is above `limit`.
    """
    if max(typed, default=0) > limit:
        raise ConfigError(
            f"experiment.dims={list(typed)}: the perturbations have {limit} directions at most: take at most {limit}, or where "
            "an image has more values a larger experiment.perturbations"
        )
    return sorted({d for d in typed if d < limit}) if typed else ladder(limit)
