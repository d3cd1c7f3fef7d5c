"""The page of what does not hold in each paper, made from the published results and written by nobody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from advlab.results.board.board import Board, Line, board_of
from advlab.results.board.cells import Cell
from advlab.results.board.columns import Column
from advlab.results.board.markdown import escaped, table
from advlab.results.board.runs import JudgedRun
from advlab.statistics.claims import Verdict
from benchmarks.published.readme import published_runs
from benchmarks.published.tables import without_repetitions

INTRODUCTION = """# What does not hold in each paper

These pages are made from the published results (`experiments/*/results`) whenever the site is built. They list each statement of a
paper that does not hold on at least one network: the paper's words, what decides them, where they fail, with the estimate and its
95 % interval, and how the other networks decide. *Does not hold* means that the whole interval lies on the other side of the
threshold; [Verdicts](../concepts/verdicts.md) explains it.

- A statement that fails on a small network may hold on the larger networks of the paper.
- Some statements are controls, such as the same number for random noise. Their words say so.
- The statements that hold are in the tables of each paper's page; `advlab claims experiments` shows all.
"""
COUNTED = """A statement counts once for each network, or measurement of a network, and for each reading of it.
"""
DECIDED: tuple[Verdict, ...] = ("holds", "does not hold", "undecided", "not measured")
ELSEWHERE: tuple[Verdict, ...] = ("holds", "undecided", "not measured")


def findings_pages(root: Path) -> dict[str, str]:
    """An index and a page for each paper, from the published results of a checkout: name -> Markdown."""
    by_paper: dict[str, list[JudgedRun]] = {}
    for run in published_runs(root):
        by_paper.setdefault(paper_of(run), []).append(run)
    boards = {paper: board_of(runs) for paper, runs in sorted(by_paper.items())}
    rows = [[f"[{paper}]({paper}.md)", *map(str, counts(board))] for paper, board in boards.items()]
    index = "\n".join([INTRODUCTION, table(["paper", *DECIDED], rows), COUNTED])
    return {"index.md": index, **{f"{paper}.md": paper_page(paper, board) for paper, board in boards.items()}}


def paper_page(paper: str, board: Board) -> str:
    """The statements of one paper that fail somewhere."""
    introduction = (
        f"# What does not hold in {paper}\n\nMade from the published results; [how to read it](index.md). "
        f"The paper's own page, with figures and all tables, is [{paper}](../papers/{paper}.md).\n"
    )
    return "\n".join([introduction, *tables(board)])


def paper_of(run: JudgedRun) -> str:
    """The folder of experiments/ in which a published result lies."""
    return run.path.parts[run.path.parts.index("results") - 1]


def counts(board: Board) -> list[int]:
    """How many cells of a board have each verdict."""
    found = Counter(cell.verdict for cell in board.cells)
    return [found[verdict] for verdict in DECIDED]


def tables(board: Board) -> list[str]:
    """A heading and a table for each experiment of which a statement does not hold somewhere."""
    parts = []
    for section in board.sections:
        rows = [row for line in section.lines if (row := row_of(line, section.columns))]
        if rows:
            header = ["what the paper says", "what decides it", "does not hold on", "elsewhere"]
            parts += [f"## {escaped(section.title)}\n", table(header, without_repetitions(rows))]
    return parts


def row_of(line: Line, columns: Sequence[Column]) -> list[str]:
    """The row of a statement; empty where it fails nowhere."""
    measured = [(column, cell) for column, cell in zip(columns, line.cells, strict=True) if cell is not None]
    failing = [named(column) + escaped(numbers(cell)) for column, cell in measured if cell.verdict == "does not hold"]
    if line.verdict == "does not hold" and len(line.networks) > 1:
        failing.append(f"{line.scope} networks: {line.count_text}")
    if not failing:
        return []
    found = Counter(cell.verdict for _, cell in measured)
    rest = ", ".join(f"{verdict} on {found[verdict]}" for verdict in ELSEWHERE if found[verdict])
    words = ": ".join(part for part in (line.section, line.sentence) if part)
    reading = f" ({line.claim.subset})" if line.claim.subset else ""
    return [escaped(words), escaped(line.rule + reading), "<br>".join(failing), rest]


def named(column: Column) -> str:
    """`mnist-lenet: `, as the result is published; empty where an experiment has no network and one result."""
    name = column.runs[0].path.name
    if len(column.runs) > 1:
        name = f"{re.sub(r'-seed[0-9]+$', '', name)}, {len(column.runs)} seeds"
    return "" if name == "default" else f"{escaped(name)}: "


def numbers(cell: Cell) -> str:
    """The estimate and its interval, or how it differs between seeds."""
    return cell.text.removeprefix("does not hold").removeprefix(", ")
