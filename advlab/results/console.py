"""What a terminal shows in colours and as wide as it is; a pipe or a file has the same words, plain and unfolded.

`rich` draws; it is loaded on a terminal alone. A verdict has its colour beside its word, never in the place of it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from advlab.errors import printable
from advlab.results.terminal import GAP, terminal_width, wrapped

INDENT = "  "  # of tables
READABLE = 14  # signs of a column of text below which a table is hard to read
COLOURS: dict[str, str] = {
    "holds": "bold green",
    "does not hold": "bold red",
    "undecided": "bold yellow",
    "not measured": "bright_black",
}
#: pattern -> style of what is said of runs
VERDICTS = {
    r"\bholds\b(?! in 0\b)": COLOURS["holds"], r"\bdoes not hold\b|\b\d+ do not\b": COLOURS["does not hold"],
    r"\bundecided\b": COLOURS["undecided"], r"\bnot measured\b": COLOURS["not measured"],
    r"(?<!\S)\+(?!\S)": COLOURS["holds"], r"(?<!\S)-(?!\S)": COLOURS["does not hold"], r"(?<!\S)\?(?!\S)": COLOURS["undecided"],
}  # fmt: skip
TITLES, NUMBERS = {r"^.*$": "bold"}, {r"^[\w.]+(?=  )": "cyan"}  # of what was measured, and of a summary
#: of the jobs of a sweep
JOBS = {
    r"(?<=^  \d  )(complete|nothing left to do)": "green", r"(?<=^  \d  )failed": "bold red",
    r"(?<=^  \d  )(interrupted|did not finish)": "yellow",
}  # fmt: skip
#: of what `advlab describe` says
DESCRIPTIONS = {
    r"^\w[^:]*:(?= |$)": "bold",
    r"^  [\w.]+(?= =)": "cyan",
    r"^  advlab .*": "green",
    r" #.*$": "bright_black",
}


def on_terminal() -> bool:
    """Whether standard output is a terminal that can place text."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Any:
    """What writes to the terminal, without colours where NO_COLOR is set."""
    from rich.console import Console

    colours: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}
    return Console(
        file=sys.stdout, width=terminal_width(), force_terminal=True, highlight=False, markup=False, emoji=False, **colours
    )  # fmt: skip


def show(text: str, styles: Mapping[str, str] = VERDICTS, *, fold: bool = False) -> None:
    """Print a text; on a terminal in colours.

    Args:
        text: lines; what they hold of others' files is printable already.
        styles: pattern -> style.
        fold: whether lines that are longer than the terminal is wide are folded below their beginning.
    """
    if not on_terminal():
        print(text, flush=True)
        return
    from rich.text import Text

    lines = [folded(line, terminal_width()) if fold else line for line in text.split("\n")]
    shown = Text("\n".join(lines), no_wrap=True, overflow="ignore")
    for pattern, style in styles.items():
        shown.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    console().print(shown, crop=False, soft_wrap=True)


def folded(line: str, width: int) -> str:
    """A line within the width, what follows indented a little more than its beginning; a command that can be copied stays whole."""
    indent = len(line) - len(line.lstrip(" "))
    if len(line) <= width or line.lstrip().startswith("advlab "):
        return line
    return " " * indent + wrapped(line[indent:], width - indent, 4).replace("\n", "\n" + " " * indent)


def show_table(names: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str], first: str = "") -> None:
    """Print a table on a terminal: its columns beside each other where they can be read, else a folded line for each row.

    Args:
        names: of the columns; all empty for a table without a head.
        rows: cells; the first of each stays on one line.
        lines: of each row, where the columns do not fit.
        first: the style of the first column; a verdict has its own.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    width = terminal_width() - len(INDENT)
    cells = [[printable(cell) for cell in row] for row in rows]
    columns = list(zip(names, *cells, strict=True))
    least = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    whole = [max(map(len, column)) for column in columns]
    least = [whole[0], *(max(word, min(line, READABLE)) for word, line in zip(least[1:], whole[1:], strict=True))]
    if sum(least) + len(GAP) * len(least) > width:  # rich counts a gap behind the last column, too
        beginnings = "|".join(sorted({re.escape(row[0]) for row in cells}, key=len, reverse=True))
        styles = {rf"^  (?:{beginnings})(?= )": first} if first else VERDICTS
        show("\n".join(INDENT + line for line in lines), styles, fold=True)
        return
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), show_header=any(names), header_style="bold")
    for name, size in zip(names, least, strict=True):
        table.add_column(name, min_width=size, overflow="fold")
    for beginning, *others in cells:
        table.add_row(Text(beginning, COLOURS.get(beginning, first)), *map(Text, others))
    console().print(Padding(table, (0, 0, 0, len(INDENT))))
