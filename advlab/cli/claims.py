"""`advlab claims`: the claims board of finished runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.cli.streams import require_printed
from advlab.config.run_options import RunParams
from advlab.errors import printable
from advlab.results.board.board import board_of
from advlab.results.board.html import board_html
from advlab.results.board.markdown import board_markdown
from advlab.results.board.runs import finished_runs
from advlab.results.board.text import board_text
from advlab.results.board.tidy import board_csv, board_json
from advlab.results.console import show
from advlab.results.terminal import terminal_width
from advlab.results.written import write_text

FORMATS = ("table", "markdown", "csv", "json", "html")


def run(arguments: Sequence[str]) -> None:
    """`advlab claims [FOLDER...]`: each statement of the papers on each network, with verdict, estimate and interval."""
    parser = Parser(
        prog="advlab claims",
        description="What each statement of the papers is worth on each network, from finished runs below some folders. "
        "Runs that differ in their seed alone are one network; of repeated runs the last is taken.",
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="default: outputs")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table, for the terminal")
    parser.add_argument("--experiment", default="", metavar="NAME", help="only this experiment")
    parser.add_argument("--paper", default="", metavar="KEY", help="only experiments of this paper, such as aghdam2017")
    parser.add_argument("--preset", default="", metavar="NAME", help="only runs with this run.preset")
    parser.add_argument(
        "--again", action="store_true", help="judge again from table.csv by today's rules, and mark what has changed"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    options = parser.parse_args(list(arguments))
    found = finished_runs(
        options.folders or [RunParams().path("output_root")],
        experiment=options.experiment, paper=options.paper, preset=options.preset, again=options.again,
    )  # fmt: skip
    board = board_of(found.runs)
    if options.format == "csv":
        text = board_csv(board, again=options.again)
    elif options.format == "json":
        text = board_json(board, again=options.again)
    elif options.format == "html":
        text = board_html(board)
    elif options.format == "markdown":
        text = board_markdown(board)
    else:
        text = board_text(board, terminal_width())
    for remark in [*found.remarks, *board.remarks]:
        print(printable(remark), file=sys.stderr)
    if options.again:
        changed = sum(cell.changed for cell in board.cells)
        print(f"judged again: {changed} of {len(board.cells)} verdicts changed", file=sys.stderr)
    if options.output is not None:
        write_text(options.output, text + ("\n" if options.format == "table" else ""))
        return
    if options.format == "table":
        show(text)
    else:
        print(text, end="")
    require_printed()
