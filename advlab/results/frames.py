"""The claims board and a comparison of runs as data frames: `advlab.claims` and `advlab.compare`."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from advlab.store.tables import Frame


def claims(*folders: str | Path, experiment: str = "", paper: str = "", preset: str = "", again: bool = False) -> Frame:
    """What each statement of the papers is worth on each network, from the finished runs below some folders.

    Runs that are unfinished or damaged are passed over, each with a warning.

    Args:
        folders: that hold runs; by default `outputs`.
        experiment: only runs of this one.
        paper: only runs about this one, such as `aghdam2017`.
        preset: only runs with this run.preset.
        again: judge from their tables by today's rules; the column `former_verdict` says what was another before.

    Returns:
        A line for each statement on each network: statement, verdict, estimate, interval, and the verdict over networks where
        it is about all or most of them; `advlab.results.board.tidy.board_table` lists the columns.

    Raises:
        ResultError: a folder is missing, or holds no finished run.
    """
    # these load numpy, which `advlab help` and errors need not wait for
    from advlab.results.board.board import board_of
    from advlab.results.board.runs import finished_runs
    from advlab.results.board.tidy import board_table

    places = [Path(folder) for folder in folders] or [Path("outputs")]
    found = finished_runs(places, experiment=experiment, paper=paper, preset=preset, again=again)
    board = board_of(found.runs)
    for remark in [*found.remarks, *board.remarks]:
        warnings.warn(remark, stacklevel=2)
    return board_table(board, again=again)


def compare(*runs: str | os.PathLike[str]) -> Frame:
    """Runs of one experiment side by side: options that differ, numbers, claims, and paired differences to the first.

    Args:
        runs: two or more, each a `Run` or its directory.

    Returns:
        A tidy table with the column `kind` (`option`, `number`, `claim`, `paired`);
        `advlab.results.comparison.Comparison.table` lists the others.

    Raises:
        ConfigError: there is one run alone, or they are of different experiments.
        ResultError: a run is missing, damaged or empty.
    """
    from advlab.results.comparison import comparison_of  # see above

    return comparison_of([Path(run) for run in runs]).table()
