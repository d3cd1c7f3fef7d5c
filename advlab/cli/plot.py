"""`advlab plot`: redraw figures from the tables of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.engine.interrupts import Interrupts
from advlab.results.compare import compare_runs
from advlab.results.console import show


def run(arguments: Sequence[str]) -> None:
    """`advlab plot RUN... [--output FILE] [--figure page|column]`: redraw from the CSV files."""
    parser = Parser(
        prog="advlab plot", description="Redraw figures from the tables of runs; several are drawn together."
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--output", "-o", type=Path, help="file (.png, .pdf, .svg), or a stem for PNG and PDF")
    parser.add_argument(
        "--figure", choices=["page", "column"], default="",
        help="width: 6.9 inches, or 3.35 (one column of a paper); by default as the run was told (run.figure)",
    )  # fmt: skip
    options = parser.parse_args(list(arguments))
    interrupts = Interrupts()
    with interrupts.active():
        compared = compare_runs(options.runs)
        lines = [
            *map(str, compared.plot(options.output, options.figure)),
            *([compared.text()] if len(options.runs) > 1 else []),
        ]
        interrupts.complete()
        interrupts.speak(lambda: show("\n".join(lines)))
