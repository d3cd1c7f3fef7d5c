"""Text within the terminal's width: lines that wrap, and tables whose columns stand in blocks one below the other."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

NARROWEST = 40  # columns of a terminal below which lines run over
CELL = 24  # signs of a cell above which it wraps, where a table does not fit otherwise
GAP = "  "


def terminal_width() -> int:
    """Columns of the terminal, as the environment variable COLUMNS or the system says; 80 where there is none."""
    return max(NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: str, width: int, indent: int = 4) -> str:
    """A text in lines of at most `width` signs, those after the first indented; a longer word (a path) stays whole."""
    return textwrap.fill(
        text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def wrapped_command(command: str, arguments: Sequence[str], width: int) -> str:
    """A command to be copied: where it is too long, an argument a line, each but the last with a backslash behind it."""
    line = " ".join([command, *arguments])
    return line if len(line) <= width else " \\\n    ".join([command, *arguments])


def in_blocks(lines: Sequence[Sequence[str]], width: int) -> str:
    """A table with a name at the head of each line, in as many blocks of columns as the width asks for.

    Args:
        lines: of equal length, the first cell of each the name of the line.
        width: of the terminal. Where the table is wider, cells of more than 24 signs are wrapped; of a single column, those that
            do not fit.
    """
    columns = [list(column) for column in zip(*lines, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    if sum(widths) + len(GAP) * (len(widths) - 1) > width:
        names = min(widths[0], width // 2)
        room = width - names - len(GAP)
        cell = min(room, CELL) if len(widths) > 2 else room
        widths = [names, *(min(w, cell) for w in widths[1:])]
    blocks: list[list[int]] = [[]]
    for number in range(1, len(columns)):
        block = [*blocks[-1], number]
        if blocks[-1] and widths[0] + sum(len(GAP) + widths[n] for n in block) > width:
            blocks.append([number])
        else:
            blocks[-1] = block
    return "\n\n".join(_block([columns[0], *(columns[n] for n in block)], [widths[0], *(widths[n] for n in block)])
                       for block in blocks)  # fmt: skip


def _block(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    """Some columns of a table, each cell wrapped within its column."""
    lines = []
    for cells in zip(*columns, strict=True):
        parts = [
            textwrap.wrap(cell, width, break_on_hyphens=False) or [""]
            for cell, width in zip(cells, widths, strict=True)
        ]
        for n in range(max(map(len, parts))):
            texts = [part[n] if n < len(part) else "" for part in parts]
            lines.append(GAP.join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip())
    return "\n".join(lines)
