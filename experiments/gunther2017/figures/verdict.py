"""Whose verdict stands below the images of a gallery, and its lines: the galleries of gunther2017."""

from __future__ import annotations

import pandas as pd

from advlab.plotting.gallery import caption, percent


def whose_verdict(table: pd.DataFrame) -> str:
    """The defense whose verdicts a table holds; several: each; empty: none, also in runs made before there were any."""
    names = table["verdict"].fillna("").astype(str) if "verdict" in table else []
    return ", ".join(dict.fromkeys(name for name in names if name))


def verdict_lines(row: pd.Series, tile: float) -> list[str]:
    """Below an image: class and probability; none without a verdict."""
    name = row.get("verdict", "")
    if not isinstance(name, str) or not name:
        return []
    return [caption(str(row["verdict_name"]), tile, 2), percent(row["verdict_probability"])]


def most_lines(table: pd.DataFrame, tile: float) -> int:
    """Lines of the tallest verdict."""
    return max(("\n".join(verdict_lines(row, tile)).count("\n") + 1 for _, row in table.iterrows()), default=0)
