"""The generated tables of READMEs and docs/: what stands between `<!-- claims: ... -->` or `<!-- board -->` and `<!-- end -->`."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advlab.errors import ConfigError, ResultError
from advlab.results.board.runs import JudgedRun, finished_runs
from advlab.store.atomic import write_atomic
from benchmarks.published.tables import board_table, claims_table

BEGIN = re.compile(r"<!-- (claims|board)(?::([^\n]*?))? -->\n")
END = "<!-- end -->"
WORDS = {"subset", "claims", "networks", "names", "columns"}
COLUMNS = ("networks", "subsets")


@dataclass(frozen=True)
class Marker:
    """What a marker asks for.

    Attributes:
        kind: `claims`, a table of verdicts and numbers, or `board`, one of signs for all that is chosen.
        experiments: patterns of their names.
        subset: pattern of the claims' subset.
        claims: patterns of the claims' short names.
        networks: patterns of the published folders' names, in the order of the columns.
        names: headings of the columns, in place of the labels.
        columns: `networks`, or `subsets` for the subsets of one network side by side.
    """

    kind: str
    experiments: list[str]
    subset: str = "*"
    claims: list[str] = field(default_factory=lambda: ["*"])
    networks: list[str] = field(default_factory=lambda: ["*"])
    names: list[str] = field(default_factory=list)
    columns: str = "networks"


def readmes(root: Path) -> list[Path]:
    """The files that may hold generated tables."""
    pages = [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("experiments/*/README.md"))]
    return [path for path in [root / "README.md", *pages] if path.is_file()]


def renew(root: Path) -> list[Path]:
    """Write the tables anew where they are not current; gives the files that were written."""
    late = outdated(root)
    for path in late:
        write_atomic(path, renewed(path.read_text(encoding="utf-8"), published_runs(root), path).encode("utf-8"))
    return late


def outdated(root: Path) -> list[Path]:
    """The files of which a table is not what the published results say.

    Raises:
        ConfigError: a marker is not understood.
        ResultError: there are no results for one.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in readmes(root)}
    marked = {path: text for path, text in texts.items() if "<!-- claims" in text or "<!-- board" in text}
    runs = published_runs(root) if marked else []
    return [path for path, text in marked.items() if renewed(text, runs, path) != text]


def published_runs(root: Path) -> list[JudgedRun]:
    """All published results of a checkout.

    Raises:
        ResultError: there is none, or one is damaged.
    """
    folders = sorted(root.glob("experiments/*/results"))
    if not folders:
        raise ResultError("there are no published results: make publish ARGS=RUN")
    found = finished_runs(folders)
    if found.remarks:
        raise ResultError("; ".join(found.remarks))
    return found.runs


def renewed(text: str, runs: Sequence[JudgedRun], path: Path) -> str:
    """A README with its tables as the published results have them."""
    parts, place = [], 0
    while (found := BEGIN.search(text, place)) is not None:
        end = text.find(END, found.end())
        following = BEGIN.search(text, found.end())
        if end < 0 or (following is not None and following.start() < end):
            raise ConfigError(f"{path}: {found[0].strip()} has no {END} behind its table")
        parts += [text[place : found.end()], table_of(marker_of(found[1], found[2] or "", path), runs, path)]
        place = end
    return "".join([*parts, text[place:]])


def marker_of(kind: str, words: str, path: Path) -> Marker:
    r"""A marker: names of experiments, then `key=value`, of which a value with spaces stands in quotation marks.

    >>> marker_of("claims", ' isotropy subset="l2*" networks=mnist-lenet,gtsrb-*', Path("README.md")).networks
    ['mnist-lenet', 'gtsrb-*']
    """
    experiments: list[str] = []
    values: dict[str, str] = {}
    try:
        for word in shlex.split(words):
            key, equals, value = word.partition("=")
            if equals and key not in WORDS:
                raise ConfigError(f"{path}: a marker has no {key!r}: it takes {', '.join(sorted(WORDS))}")
            if equals:
                values[key] = value
            else:
                experiments += listed(key)
    except ValueError as error:
        raise ConfigError(f"{path}: the marker {words.strip()!r} is not closed: {error}") from error
    columns = values.get("columns", "networks")
    if columns not in COLUMNS:
        raise ConfigError(f"{path}: columns={columns}: columns are {' or '.join(COLUMNS)}")
    names = [name.strip() for name in values.get("names", "").split(";") if name.strip()]
    several = {key: listed(values[key]) for key in ("claims", "networks") if key in values}
    return Marker(kind, experiments or ["*"], values.get("subset", "*"), names=names, columns=columns, **several)


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def table_of(marker: Marker, runs: Sequence[JudgedRun], path: Path) -> str:
    """The table that a marker asks for.

    Raises:
        ResultError: there are no results for it, or for one of its networks.
    """
    chosen = [run for run in runs if any(fnmatch.fnmatchcase(run.experiment, name) for name in marker.experiments)]
    ordered: list[JudgedRun] = []
    for pattern in marker.networks:
        fitting = [run for run in chosen if fnmatch.fnmatchcase(run.path.name, pattern)]
        if not fitting:
            raise ResultError(f"{path}: no published result of {', '.join(marker.experiments)} is called {pattern}")
        ordered += [run for run in fitting if run not in ordered]

    def wanted(name: str, subset: str) -> bool:
        return fnmatch.fnmatchcase(subset, marker.subset) and any(fnmatch.fnmatchcase(name, p) for p in marker.claims)

    if marker.kind == "board":
        table = board_table(ordered, wanted)
    else:
        table = claims_table(ordered, wanted, marker.names, by_subset=marker.columns == "subsets")
    if not table:
        raise ResultError(f"{path}: no published claim fits claims={','.join(marker.claims)} subset={marker.subset}")
    return f"\n{table}\n"
