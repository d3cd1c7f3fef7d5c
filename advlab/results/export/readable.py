"""A table as cells of text that a reader wants: four digits, an interval beside its estimate, a claim in one line."""

from __future__ import annotations

import re

from advlab.statistics.claims import Claim
from advlab.statistics.intervals import interval_text
from advlab.store.tables import Frame, value_text

MOST_COLUMNS = 8  # of a table that is wider than high


def readable(frame: Frame, *, claims: bool = False) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a table.

    Args:
        frame: of a run.
        claims: whether it is that of the claims, of which each becomes estimate, interval and verdict.
    """
    if claims:
        header = ["claim", "subset", "quantity", "estimate [95 % interval]", "claimed", "n", "verdict"]
        lines = [claim_cells(Claim(**row)) for row in frame.to_dict("records")]
        shown = [n for n in range(len(header)) if header[n] != "subset" or any(line[n] for line in lines)]
        return [header[n] for n in shown], [[line[n] for n in shown] for line in lines]
    header, lines = table_cells(frame)
    if len(header) > MOST_COLUMNS and len(lines) <= MOST_COLUMNS:  # a line for each column fits a page
        across = [list(cells) for cells in zip(header, *lines, strict=True)]
        return across[0], across[1:]
    return header, lines


def claim_cells(claim: Claim) -> list[str]:
    """One claim: the interval is the one that decides, which covers together with those of its family."""
    number = f"{claim.estimate:.3g}"
    if not claim.samples:  # computed
        estimate = f"{claim.bound} {number}".strip() if claim.estimate == claim.estimate else ""
    else:
        estimate = interval_text(claim.estimate, claim.family_low, claim.family_high)
    claimed = f"{claim.relation} {claim.threshold:.3g}"
    return [claim.claim, claim.subset, claim.quantity, estimate, claimed, str(claim.samples or ""), claim.verdict]


def table_cells(frame: Frame) -> tuple[list[str], list[list[str]]]:
    """A table whose columns `x`, `x_low`, `x_high` (or the like, one behind the other) become one, `x [low, high]`."""
    names = [str(name) for name in frame.columns]
    values = [[value_text(value) for value in frame[name]] for name in frame.columns]
    header, columns, position = [], [], 0
    while position < len(names):
        if followed_by_interval(names[position : position + 3]):
            header.append(names[position])
            bounds = zip(*values[position : position + 3], strict=True)
            columns.append([f"{value} [{low}, {high}]" if low and high else value for value, low, high in bounds])
            position += 3
        else:
            header.append(names[position])
            columns.append(values[position])
            position += 1
    return header, [list(line) for line in zip(*columns, strict=True)]


def followed_by_interval(names: list[str]) -> bool:
    """Whether three columns are a number and the bounds of its interval.

    >>> followed_by_interval(["rate", "rate_low", "rate_high"]), followed_by_interval(["low", "high", "n"])
    (True, False)
    """
    if len(names) < 3 or "low" in re.split(r"[_ ]", names[0]) or "low" not in re.split(r"[_ ]", names[1]):
        return False
    return re.sub(r"(?<![a-z])low(?![a-z])", "high", names[1]) == names[2]
