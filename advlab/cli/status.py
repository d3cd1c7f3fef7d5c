"""`advlab status`: how far a run has come, asked from another terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab.cli.parser import Parser
from advlab.config.run_options import RunParams
from advlab.errors import ResultError, printable
from advlab.results.console import on_terminal
from advlab.results.terminal import terminal_width, wrapped
from advlab.shell import command_to_resume
from advlab.store.bounded import read_json
from advlab.store.locks import is_locked
from advlab.store.run_directory import RunDirectory

SECONDS_BETWEEN_LOOKS = 2.0
MOST_RUNS, LONGEST_LABEL = 20, 100  # that are listed; signs
STALE = 30.0  # seconds after which what a runner said of its workers is not said any more


def run(arguments: Sequence[str]) -> int:
    """`advlab status [RUN]`: cells done, what is in work and by whom, workers that were lost, and the time left."""
    parser = Parser(prog="advlab status", description="How far a run has come; without RUN, all below outputs.")
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="default: the newest runs below outputs")
    parser.add_argument("--watch", action="store_true", help="show it again every two seconds, until the run ends")
    options = parser.parse_args(list(arguments))
    if options.run is None:
        print(newest_runs(RunParams().path("output_root")), flush=True)
        return 0
    directory, erase = RunDirectory.open(options.run), ""
    while True:
        text, under_way = status_text(directory)
        print(f"{erase}{text}", flush=True)
        if on_terminal():  # what is shown next takes its place
            erase = f"\x1b[{len(text.splitlines())}A\x1b[J"
        if not (options.watch and under_way):
            return 0
        time.sleep(SECONDS_BETWEEN_LOOKS)


def newest_runs(folder: Path) -> str:
    """The newest runs below a folder, a line each, the newest last.

    Raises:
        ResultError: there is none.
    """
    from advlab.results.board.runs import run_folders  # loads numpy, which the status of one run need not wait for

    remarks: list[str] = []
    found = list(run_folders(folder, remarks)) if folder.is_dir() else []
    if not found:
        raise ResultError(
            f"there are no runs below {folder} yet: run an experiment (advlab run.preset=tiny), or name a run (advlab status RUN)"
        )
    found.sort(key=lambda path: path.stat().st_mtime)
    lines = [f"({len(found) - MOST_RUNS} older ones)"] if len(found) > MOST_RUNS else []
    for path in found[-MOST_RUNS:]:
        try:
            run = RunDirectory(path)
            said, *_ = status_text(run)[0].split("\ngo on with: ")
            label = str(run.manifest().get("label", "")) if run.manifest_path.is_file() else ""
            lines.append(said + (f": {printable(label)[:LONGEST_LABEL]}" if label else ""))
        except ResultError as error:
            lines.append(wrapped(printable(f"{path}: {error}"), terminal_width(), indent=4))
    return "\n".join(lines)


def status_text(directory: RunDirectory) -> tuple[str, bool]:
    """What is known of a run from its files, and whether a process works on it.

    Raises:
        ResultError: its plan is damaged.
    """
    under_way = is_locked(directory.lock_path)
    if not directory.plan_path.is_file():
        return f"{directory.path}: {'is being prepared' if under_way else 'was ended before it began'}", under_way
    cells = directory.plan()["cells"]
    done = sum(directory.inside("cells", f"{cell}.csv").is_file() for cell in cells)
    if under_way:
        lines = [f"{directory.path}: {done} of {cells_text(len(cells))}", *worker_lines(directory)]
    elif directory.finished():
        lines = [f"{directory.path}: complete, {cells_text(len(cells))}"]
    else:
        lines = [f"{directory.path}: {ending(directory)}, {done} of {cells_text(len(cells))}"]
        lines.append(f"go on with: {command_to_resume(directory.path)}")
    return "\n".join(wrapped(printable(line), terminal_width(), indent=4) for line in lines), under_way


def cells_text(count: int) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count} cell{'' if count == 1 else 's'}"


def ending(directory: RunDirectory) -> str:
    """How a run that is not complete has ended."""
    try:
        manifest = directory.manifest()
    except ResultError:
        return "its process was killed"
    return f"{manifest.get('status', 'ended')} ({str(manifest.get('reason', ''))[:200]})"


def worker_lines(directory: RunDirectory) -> list[str]:
    """What the runner says of its workers; nothing where it has none, or has not said anything for long."""
    try:
        said = read_json(directory.status_path)
        fresh = time.time() - float(said["time"]) < STALE
        return said_lines(said) if fresh else []
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
    ):  # there is none, or it is no file of ours
        return []


def said_lines(said: dict[str, Any]) -> list[str]:
    """Rate, time left, and each worker with what it has."""
    workers = [str(name) for name in said["workers"]]
    lost = f", {int(said['lost'])} lost" if said["lost"] else ""
    lines = [
        f"  {len(workers)} worker{'' if len(workers) == 1 else 's'}{lost}, {float(said['cells_a_second']):.3g} cells/s, "
        f"{float(said['seconds_left']):.0f} s left"
    ]
    in_work = {str(name): [str(unit) for unit in units] for name, units in said["in_work"].items()}
    for name in workers:
        first, *rest = in_work.get(name, ["nothing"])
        lines.append(f"  {name}: {first}" + (f", then {', '.join(rest)}" if rest else ""))
    return lines
