"""The board as data: a tidy table, its CSV, and JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from advlab.results.board.board import Board, Line, Section
from advlab.results.board.cells import Cell
from advlab.results.over_seeds import VERDICTS
from advlab.store.tables import FORMULA_STARTS, Frame, frame_of


def board_table(board: Board, *, again: bool = False) -> Frame:
    """A line for each statement on each network.

    Columns:
        experiment, paper, section, statement: what is said, and where.
        claim, subset, quantity, relation, threshold: its check.
        network: label of the column; runs: of how many seeds it has runs.
        verdict: of the runs taken together; holds, does_not_hold, undecided, not_measured: in how many it is so.
        former_verdict: by claims.csv, where the claims were judged again (`again`) and this one has changed.
        estimate, deviation: mean and standard deviation over runs; low, high: bounds of the interval
            that decides, of several runs the outermost.
        samples: of the first run; family: how many claims its interval covers together with.
        scope: `all` or `most` where the statement is about so many networks; scope_verdict: over all networks of the
            experiment; networks, networks_holding: on how many it was measured, and holds.
        paths: of the runs.
    """
    lines = []
    for section in board.sections:
        for line in section.lines:
            for column, cell in zip(section.columns, line.cells, strict=True):
                if cell is None:
                    continue
                said = statement_of(section, line) | {"network": column.label} | cell_of(cell)
                if not again:
                    del said["former_verdict"]
                lines.append(
                    {**said, **over_networks_of(line), "paths": "; ".join(str(run.path) for run in column.runs)}
                )
    return frame_of(lines)


def board_csv(board: Board, *, again: bool = False) -> str:
    """The tidy table as CSV; text that a spreadsheet would take for a formula begins with an apostrophe."""
    table = board_table(board, again=again)
    for name in table.columns:
        table[name] = [
            f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
            for value in table[name]
        ]
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def board_json(board: Board, *, again: bool = False) -> str:
    """The board as JSON: experiments, their statements, and for each its networks; null where a number is missing or infinite."""
    experiments = []
    for section in board.sections:
        statements = []
        for line in section.lines:
            networks = []
            for column, cell in zip(section.columns, line.cells, strict=True):
                if cell is None:
                    continue
                said = {"network": column.label, **cell_of(cell), "paths": [str(run.path) for run in column.runs]}
                if not again:
                    del said["former_verdict"]
                networks.append(said)
            statements.append({**statement_of(section, line), **over_networks_of(line), "cells": networks})
        experiments.append({"experiment": section.experiment, "paper": section.paper, "statements": statements})
    return json.dumps(without_nan({"experiments": experiments}), ensure_ascii=False, indent=2) + "\n"


def statement_of(section: Section, line: Line) -> dict[str, Any]:
    """What is said, where, and what decides it."""
    claim = line.claim
    return {
        "experiment": section.experiment, "paper": section.paper, "section": line.section, "statement": line.sentence,
        "claim": claim.claim, "subset": claim.subset, "quantity": claim.quantity, "relation": claim.relation,
        "threshold": claim.threshold,
    }  # fmt: skip


def cell_of(cell: Cell) -> dict[str, Any]:
    """Verdict and numbers of a network."""
    verdicts = [claim.verdict for claim in cell.claims]
    counts = {column: verdicts.count(verdict) for column, verdict in VERDICTS.items()}
    return {
        "runs": len(verdicts), "verdict": cell.verdict, **counts,
        "former_verdict": cell.verdict_text.split(" -> ")[0] if cell.changed else "",
        "estimate": cell.estimate, "deviation": cell.deviation, "low": cell.low, "high": cell.high,
        "samples": cell.claims[0].samples, "family": cell.claims[0].family,
    }  # fmt: skip


def over_networks_of(line: Line) -> dict[str, Any]:
    """The verdict over networks, where the statement is about all or most of them, and on how many it holds."""
    found = line.judged
    return {
        "scope": line.scope, "scope_verdict": line.verdict or "",
        "networks": found.holding + found.failing + found.undecided, "networks_holding": found.holding,
    }  # fmt: skip


def without_nan(value: Any) -> Any:
    """A value as JSON can say it: null for numbers that are NaN or infinite."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
