"""The board as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advlab.results.board.board import Board, Section

SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")


def board_markdown(board: Board) -> str:
    """A heading and a table for each experiment: statements in lines, networks in columns."""
    return "\n".join(f"## {escaped(section.title)}\n\n{table(*section_cells(section))}" for section in board.sections)


def section_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of an experiment's table, escaped; a sentence stands where it is said first."""
    subsets = any(line.claim.subset for line in section.lines)
    scopes = len(section.columns) > 1
    header = ["statement, and what decides it", *(["subset"] if subsets else [])]
    header += [escaped(column.label) for column in section.columns] + (["networks"] if scopes else [])
    lines, before = [], ""
    for line in section.lines:
        words = escaped(f"{line.claim.statement}: {line.rule}")
        cells = [cell.text if cell else "" for cell in line.cells]  # verdicts and numbers: no markup
        lines.append(
            ["" if words == before else words, *([escaped(line.claim.subset)] if subsets else []), *cells]
            + ([line.networks_text] if scopes else [])
        )
        before = words
    return header, lines


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are escaped already."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|\n" for row in rows)


def escaped(text: str) -> str:
    r"""A text as Markdown shows it: what would be markup, or end a cell, has a backslash before it.

    >>> print(escaped("a | b < c*"))
    a \| b \< c\*
    """
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
