"""Markdown tables of published results: verdicts and numbers by network or by subset, or signs for a whole board."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from advlab.errors import ConfigError
from advlab.results.board.board import Board, Line, board_of
from advlab.results.board.cells import together
from advlab.results.board.columns import Column
from advlab.results.board.markdown import escaped, table
from advlab.results.board.runs import JudgedRun
from advlab.results.board.text import LEGEND, SIGNS
from advlab.statistics.claims import Verdict
from advlab.store.names import run_label

Wanted = Callable[[str, str], bool]  # of a claim's short name and subset


def chosen_board(runs: Sequence[JudgedRun], wanted: Wanted) -> Board:
    """The board of some runs with the claims that are wanted."""
    kept = [
        replace(run, claims={key: claim for key, claim in run.claims.items() if wanted(key[1], key[0])}) for run in runs
    ]
    return board_of([run for run in kept if run.claims])


def claims_table(runs: Sequence[JudgedRun], wanted: Wanted, names: Sequence[str], *, by_subset: bool) -> str:
    """Statements in lines; verdict, estimate and interval of each network, or of each subset, in columns.

    Args:
        runs: in the order of the columns.
        wanted: which claims.
        names: headings of the columns in place of labels.
        by_subset: subsets are the columns, and networks lines, as many as there are.
    """
    sections = chosen_board(runs, wanted).sections
    columns = list(dict.fromkeys(column.label for section in sections for column in section.columns))
    if len(sections) == 1 and not by_subset:
        columns = [label_of(column) for column in sections[0].columns]
    lines = [line for section in sections for line in section.lines]
    subsets = list(dict.fromkeys(line.claim.subset for line in lines))
    headings = [subset or "all" for subset in subsets] if by_subset else columns
    if names and len(names) != len(headings):
        raise ConfigError(f"names= has {len(names)} headings for the columns {'; '.join(headings)}")
    scoped = not by_subset and len(columns) > 1 and any(line.scope for line in lines)
    rows = []
    for section in sections:
        labels = [column.label for column in section.columns]
        known = columns if len(sections) > 1 else labels
        if by_subset:
            rows += subset_rows(section.lines, section.columns, subsets)
            continue
        for line in section.lines:
            texts = dict(zip(labels, [cell.text if cell else "" for cell in line.cells], strict=True))
            scope = [line.networks_text] if scoped else []
            rows.append([words_of(line), *([escaped(line.claim.subset)] if any(subsets) else []),
                         *(texts.get(label, "") for label in known), *scope])  # fmt: skip
    if not rows:
        return ""
    several = by_subset and len({row[1] for row in rows}) > 1
    if by_subset and not several:
        rows = [[row[0], *row[2:]] for row in rows]
    middle = ["network"] if several else [] if by_subset or not any(subsets) else ["reading"]
    header = ["statement, and what decides it", *middle, *map(escaped, names or headings)]
    if scoped:
        header.append("networks")
    return table(header, without_repetitions(rows))


def subset_rows(lines: Sequence[Line], columns: Sequence[Column], subsets: Sequence[str]) -> list[list[str]]:
    """Statement, network, and a cell for each subset."""
    rows: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        for column, cell in zip(columns, line.cells, strict=True):
            if cell is not None:
                network = escaped(run_label(column.runs[0].nodes))
                row = rows.setdefault((line.claim.claim, network), [words_of(line), network, *[""] * len(subsets)])
                row[2 + subsets.index(line.claim.subset)] = cell.text
    return list(rows.values())


def board_table(runs: Sequence[JudgedRun], wanted: Wanted) -> str:
    """Statements in lines and networks in columns, a sign for each subset in the order that the line names; and a legend."""
    board = chosen_board(runs, wanted)
    networks = list(dict.fromkeys(network_of(column) for section in board.sections for column in section.columns))
    rows = []
    for section in board.sections:
        by_name: dict[str, list[Line]] = {}
        for line in section.lines:
            by_name.setdefault(line.claim.claim, []).append(line)
        for name, lines in by_name.items():
            signs = [
                " ".join(sign_of(line, section.columns, network) for line in lines).strip() for network in networks
            ]
            subsets = "; ".join(line.claim.subset for line in lines)
            scopes = [SIGNS[line.verdict] for line in lines if line.verdict is not None]
            scope = f"{lines[0].scope}: {' '.join(scopes)}" if scopes else ""
            rows.append([section.experiment, escaped(name), escaped(subsets), *signs, scope])
    if not rows:
        return ""
    header = ["experiment", "statement", "subsets", *map(escaped, networks), "networks"]
    return f"{table(header, without_repetitions(rows))}\n{LEGEND}; a sign for each subset, in their order.\n"


def sign_of(line: Line, columns: Sequence[Column], network: str) -> str:
    """The sign of a statement on a network, its measurements with several options taken together; empty where there is none."""
    verdicts: list[Verdict] = [
        cell.verdict for column, cell in zip(columns, line.cells, strict=True) if cell and network_of(column) == network
    ]
    return SIGNS[together(verdicts)] if verdicts else ""


def network_of(column: Column) -> str:
    """What a column is published as, whatever its seed; those without a network and data are one."""
    nodes = column.runs[0].nodes
    without = all(nodes.get(group, {}).get("name", "none") == "none" for group in ("model", "dataset"))
    return "no network" if without else re.sub(r"-seed\d+$", "", column.runs[0].path.name)


def label_of(column: Column) -> str:
    """`lenet on mnist (300 samples)`, of several seeds how many."""
    samples = max((claim.samples for run in column.runs for claim in run.claims.values()), default=0)
    counts = [f"{samples} samples"] if samples else []
    counts += [f"{len(column.runs)} seeds"] if len(column.runs) > 1 else []
    return f"{column.label} ({', '.join(counts)})" if counts else column.label


def words_of(line: Line) -> str:
    """The statement and what decides it."""
    return escaped(f"{line.claim.statement}: {line.rule}")


def without_repetitions(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows, of which the first cell is left empty where it repeats the one above."""
    return [["" if number and rows[number - 1][0] == row[0] else row[0], *row[1:]] for number, row in enumerate(rows)]
