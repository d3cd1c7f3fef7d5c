"""`advlab export`: the numbers of a run for a paper, a page or another program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.cli.streams import require_printed
from advlab.results.load import load


def run(arguments: Sequence[str]) -> None:
    """`advlab export RUN --format latex|markdown|json|parquet [--table summary|claims|table] [-o FILE]`."""
    parser = Parser(
        prog="advlab export",
        description="The summary and the claims of a finished run as a table of LaTeX (booktabs) or Markdown, with intervals "
        "beside their estimates, or as JSON or Parquet, with all digits.",
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--format", default="markdown", help="markdown (the default), latex, json or parquet")
    parser.add_argument(
        "--table", action="append", default=[], metavar="NAME",
        help="summary, claims or table (all rows); may be repeated; default: summary and claims",
    )  # fmt: skip
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    parser.add_argument("--overwrite", action="store_true", help="also where the file is there already")
    options = parser.parse_args(list(arguments))
    text = load(options.run).export(
        options.format, tables=options.table, path=options.output, overwrite=options.overwrite
    )
    if isinstance(text, str):
        print(text, end="")
        require_printed()
