"""`advlab cache`: what lies in the cache of expensive results, removing some of it, and checking it."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.cli.streams import require_printed
from advlab.config.run_options import RunParams
from advlab.errors import ConfigError, suggest
from advlab.store.cache_folder import Entry, entries, fault_of, remove

UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def run(arguments: Sequence[str]) -> int:
    """`advlab cache [list|clean|verify] [KIND...]`; the exit status of verify is 1 where something is damaged.

    Raises:
        ConfigError: an unknown kind or age, or nothing says what is to be removed.
    """
    parser = Parser(
        prog="advlab cache",
        description="The cache of trained weights, predictions and other results that took long to make: its content by kind, "
        "removing some of it (runs make again what they need), and computing its digests anew.",
    )
    parser.add_argument("--cache-root", metavar="DIR", help="other than your own (ADVLAB_CACHE)")
    actions = parser.add_subparsers(metavar="list|clean|verify", parser_class=Parser)
    for name, action, text in (
        ("list", list_cache, "kinds with number, size and age (the default)"),
        ("clean", clean, "remove artifacts"),
        ("verify", verify, "compute all digests anew, and name what is damaged"),
    ):
        of_action = actions.add_parser(name, help=text, description=f"advlab cache {name}: {text}.")
        of_action.add_argument("kinds", nargs="*", metavar="KIND", help="only these; default: all")
        of_action.set_defaults(action=action)
        if name == "clean":
            of_action.add_argument("--all", action="store_true", help="all kinds of any age")
            of_action.add_argument(
                "--older-than", metavar="AGE", help="only what was made before, such as 30d (also m, h, w)"
            )
            of_action.add_argument("--damaged", action="store_true", help="only what was set aside or left over")
            of_action.add_argument("--dry-run", action="store_true", help="only say what would be removed")
            of_action.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(action=list_cache, kinds=[])
    options = parser.parse_args(list(arguments))
    root = Path(options.cache_root).expanduser() if options.cache_root else RunParams().path("cache_root")
    root = root.resolve()
    found = entries(root)
    kinds = {entry.kind for entry in found}
    for kind in options.kinds:
        if kind not in kinds:
            raise ConfigError(f"the cache {root} holds nothing of the kind {kind!r}. {suggest(kind, kinds)}")
    found = [entry for entry in found if not options.kinds or entry.kind in options.kinds]
    chosen: Callable[[Path, list[Entry], argparse.Namespace], int] = options.action
    code = chosen(root, found, options)
    require_printed()
    return code


def list_cache(root: Path, found: list[Entry], _: argparse.Namespace) -> int:
    """A line for each kind, and one for all."""
    print(root)
    now = time.time()
    kinds = sorted({entry.kind for entry in found})
    lines = [("kind", "artifacts", "size", "age", "beside them")]
    for kind in kinds:
        own = [entry for entry in found if entry.kind == kind]
        ages = sorted(now - entry.made for entry in own if entry.form == "artifact")
        span = " to ".join(dict.fromkeys(map(age_text, (ages[0], ages[-1])))) if ages else ""
        others = [entry.form for entry in own if entry.form != "artifact"]
        beside = ", ".join(f"{others.count(form)} {form}" for form in dict.fromkeys(others))
        lines.append((kind, str(len(ages)), size_text(sum(entry.bytes for entry in own)), span, beside))
    artifacts = [entry for entry in found if entry.form == "artifact"]
    lines.append(("all", str(len(artifacts)), size_text(sum(entry.bytes for entry in found)), "", ""))
    widths = [max(len(line[n]) for line in lines) for n in range(5)]
    for line in lines:
        cells = [
            cell.ljust(width) if n in (0, 3, 4) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    return 0


def verify(root: Path, found: list[Entry], _: argparse.Namespace) -> int:
    """Compute the digests of all artifacts anew; 1 where one is damaged."""
    artifacts = [entry for entry in found if entry.form == "artifact"]
    faults = [(entry, fault) for entry in artifacts if (fault := fault_of(entry))]
    for entry, fault in faults:
        print(f"{entry.path}: {fault}")
    print(f"{len(artifacts) - len(faults)} of {len(artifacts)} artifacts below {root} are intact")
    if faults:
        print("a run that needs one of the others sets it aside and makes it again; nothing was changed")
    return 1 if faults else 0


def clean(root: Path, found: list[Entry], options: argparse.Namespace) -> int:
    """Remove what the options say, after a question; what a process is making stays."""
    if not (options.kinds or options.older_than or options.damaged or options.all):
        raise ConfigError("advlab cache clean: type a KIND, --older-than AGE, --damaged or --all")
    if options.damaged:
        found = [entry for entry in found if entry.form in ("quarantined", "leftover")]
    if options.older_than:
        limit = time.time() - seconds(options.older_than)
        found = [entry for entry in found if entry.made < limit]
    what = f"{len(found)} folders of {root}, {size_text(sum(entry.bytes for entry in found))}"
    if options.dry_run:
        for entry in found:
            print(f"{entry.path}  {size_text(entry.bytes)}")
        print(f"would remove {what}")
        return 0
    if not found:
        print("there is nothing to remove")
        return 0
    if not options.yes and not confirmed(what):
        print("nothing was removed")
        return 0
    removed = [entry for entry in found if remove(entry)]
    print(f"removed {len(removed)} folders, {size_text(sum(entry.bytes for entry in removed))}")
    if len(removed) < len(found):
        print(f"{len(found) - len(removed)} are being made by a run, or are locked behind a link, and stay")
    return 0


def confirmed(what: str) -> bool:
    """Whether the user wants it.

    Raises:
        ConfigError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ConfigError(f"this would remove {what}: type --yes, since there is no terminal to ask at")
    return input(f"remove {what}? [y/N] ").strip().lower() in ("y", "yes")


def seconds(age: str) -> float:
    """Seconds of an age.

    Raises:
        ConfigError: it is none.

    >>> seconds("2d"), seconds("90m")
    (172800.0, 5400.0)
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([mhdw])", age.strip())
    if not found:
        raise ConfigError(
            f"--older-than {age!r} is no age: type a number of minutes, hours, days or weeks: 90m, 12h, 30d, 2w"
        )
    return float(found[1]) * UNITS[found[2]]


def age_text(age: float) -> str:
    """An age in its largest whole unit.

    >>> age_text(59), age_text(7200.0)
    ('0 min', '2 h')
    """
    for unit, name in ((86_400, "d"), (3600, "h")):
        if age >= unit:
            return f"{int(age // unit)} {name}"
    return f"{max(0, int(age // 60))} min"


def size_text(size: int) -> str:
    """Bytes in a unit that leaves few digits.

    >>> size_text(999), size_text(1_500_000)
    ('999 B', '1.5 MB')
    """
    number, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.0f} {units[0]}" if units[0] == "B" else f"{number:.1f} {units[0]}"
