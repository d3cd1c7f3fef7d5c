"""`python -m benchmarks.published publish|readme`: results into the checkout, and tables of them into the READMEs.

    python -m benchmarks.published publish RUN...    # claims.csv and a reduced manifest (make publish ARGS="RUN...")
    python -m benchmarks.published readme            # write the tables between the READMEs' markers anew (make readme)
    python -m benchmarks.published readme --check    # exit code 1 if one is not current

CONTRIBUTING.md (Published results) says what a marker may name.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from advlab.errors import AdvlabError
from advlab.plugins.loading import load_plugins
from benchmarks.published.publish import publish
from benchmarks.published.readme import outdated, readmes, renew

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Publish runs or write the READMEs anew; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.published", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("publish", help="put claims.csv and a reduced manifest of finished runs into the checkout")
    add.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    add.add_argument(
        "--label", default="", help="name of the folder; default: dataset, model, attack, defense and seed"
    )
    add.add_argument(
        "--command", default="", help="the line that makes the run; default: the one that its manifest names"
    )
    add.add_argument("--replace", action="store_true", help="also where the folder holds another configuration")
    add.add_argument("--again", action="store_true", help="judge their tables anew, by today's rules")
    write = verbs.add_parser("readme", help="write the tables of the READMEs anew")
    write.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a table is not current")
    options = parser.parse_args(arguments)
    load_plugins()
    try:
        if options.verb == "publish":
            if options.label and len(options.runs) > 1:
                parser.error("--label names the folder of one run: publish the others by themselves")
            for run in options.runs:
                how = {"command": options.command, "replace": options.replace, "again": options.again}
                print(publish(run, root, label=options.label, **how))
            return 0
        late = outdated(root) if options.check else renew(root)
    except AdvlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for path in late:
        print(f"{path.relative_to(root)}: {'not current: make readme' if options.check else 'written'}")
    print(f"{len(readmes(root))} READMEs looked at")
    return int(bool(late) and options.check)


if __name__ == "__main__":
    sys.exit(main())
