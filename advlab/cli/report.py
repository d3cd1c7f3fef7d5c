"""`advlab report`: finished runs as one HTML page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.config.run_options import RunParams
from advlab.errors import printable


def run(arguments: Sequence[str]) -> None:
    """`advlab report [RUN|SWEEP|FOLDER...] [-o FILE]`: figures, claims, numbers and commands of runs in one file."""
    parser = Parser(
        prog="advlab report",
        description="Finished runs as one HTML file that makes no request: an index by paper and figure, the claims board, and of "
        "each run its figures, claims, numbers, command, configuration, versions and cost.",
    )
    parser.add_argument(
        "places", nargs="*", type=Path, metavar="RUN|SWEEP|FOLDER",
        help="runs, sweeps (outputs/.sweeps/TIME) and folders, in which runs are looked for at any depth; default: outputs",
    )  # fmt: skip
    parser.add_argument(
        "--output", "-o", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )
    options = parser.parse_args(list(arguments))
    # these load numpy, Hydra and Jinja, which help and errors need not wait for
    from advlab.results.page.contents import report_of
    from advlab.results.page.rendering import report_html
    from advlab.results.written import write_text

    report = report_of(options.places or [RunParams().path("output_root")])
    for remark in report.remarks:
        print(printable(remark), file=sys.stderr)
    text = report_html(report)
    write_text(options.output, text)
    runs = len(report.runs)
    print(f"{options.output}: {runs} run{'' if runs == 1 else 's'}, {len(text) / 1e6:.1f} MB", flush=True)
