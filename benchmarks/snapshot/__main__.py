"""`python -m benchmarks.snapshot keep|compare`: what a user sees, before a change of structure and after it.

    python -m benchmarks.snapshot keep before          # on the commit before: about ten minutes on two cores
    python -m benchmarks.snapshot keep after           # on the commit after
    python -m benchmarks.snapshot compare before after # exit code 1 if anything differs

Both sides need the same machine and the same libraries. A NAME chooses command lines, and may hold * and ?.
"""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.snapshot.compare import differences
from benchmarks.snapshot.lines import command_lines
from benchmarks.snapshot.runs import Runs

ROOT = Path(__file__).resolve().parents[2]
ATTACKS = "attack-cases"  # beside the command lines: the cases of the attacks' contract
KEPT = "kept"


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep or compare; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.snapshot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    keep = verbs.add_parser("keep", help="run the command lines and keep what a user sees")
    keep.add_argument("folder", type=Path, metavar="FOLDER")
    keep.add_argument(
        "--cache",
        type=Path,
        help="of trained networks and other artifacts: both sides begin with an empty one or with equal ones; FOLDER/cache",
    )
    compare = verbs.add_parser("compare", help="say what differs between two folders")
    compare.add_argument("old", type=Path, metavar="OLD")
    compare.add_argument("new", type=Path, metavar="NEW")
    for verb in (keep, compare):
        verb.add_argument(
            "names", nargs="*", metavar="NAME", help="such as isotropy or 'survey-*'; all if none is named"
        )
    options = parser.parse_args(arguments)

    def wanted(name: str) -> bool:
        return not options.names or any(fnmatch.fnmatchcase(name, pattern) for pattern in options.names)

    if options.verb == "keep":
        lines = {name: line for name, line in command_lines().items() if wanted(name)}
        if not lines and not wanted(ATTACKS):
            parser.error(f"no command line is called {' or '.join(options.names)}")
        keep_all(lines, options.folder, options.cache or options.folder / "cache", attacks=wanted(ATTACKS))
        return 0
    for folder in (options.old, options.new):
        if not (folder / KEPT).is_dir():
            parser.error(f"{folder} is no snapshot: make one by python -m benchmarks.snapshot keep {folder}")
    reports = list(differences(options.old / KEPT, options.new / KEPT, wanted))
    for report in reports:
        print(*report, sep="\n")
    print(f"{len(reports)} differences")
    return int(bool(reports))


def keep_all(lines: dict[str, tuple[str, ...]], folder: Path, cache: Path, *, attacks: bool) -> None:
    """Run each line, then the attacks' cases, and say how each ended."""
    runs = Runs(folder / KEPT, cache)
    for name, line in lines.items():
        print(f"{name}: exit code {runs.keep(name, line)}", flush=True)
    if attacks:
        command = [sys.executable, "-m", "benchmarks.snapshot.attacks", str((folder / KEPT / ATTACKS).absolute())]
        subprocess.run(command, cwd=ROOT, env=runs.environment, check=True)
        print(f"{ATTACKS}: kept", flush=True)


if __name__ == "__main__":
    sys.exit(main())
