"""`advlab compare`: runs of one experiment side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.cli.streams import require_printed
from advlab.results.comparison import comparison_of
from advlab.results.comparison_text import comparison_text
from advlab.results.console import show
from advlab.results.terminal import terminal_width
from advlab.results.written import write_text


def run(arguments: Sequence[str]) -> None:
    """`advlab compare RUN RUN...`: what differs, the numbers and claims, and paired differences on shared samples."""
    parser = Parser(
        prog="advlab compare",
        description="What differs between runs of one experiment, their numbers and claims side by side, and where they share "
        "samples the paired differences of each to the first.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    options = parser.parse_args(list(arguments))
    comparison = comparison_of(options.runs)
    if options.format == "csv":
        text = comparison.csv()
    elif options.format == "json":
        text = comparison.json()
    else:
        text = comparison_text(comparison, terminal_width())
    if options.output is not None:
        write_text(options.output, text + ("\n" if options.format == "table" else ""))
        return
    if options.format == "table":
        show(text)
    else:
        print(text, end="")
    require_printed()
