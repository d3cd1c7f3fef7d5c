"""The board within the terminal's width: by statement with all numbers, then networks against statements in single signs."""

from __future__ import annotations

from advlab.results.board.board import Board, Line, Section
from advlab.results.terminal import in_blocks, wrapped
from advlab.statistics.claims import Verdict

SIGNS: dict[Verdict, str] = {"holds": "+", "does not hold": "-", "undecided": "?", "not measured": "."}
LEGEND = ", ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
VERDICT_WIDTH = max(map(len, SIGNS))
INDENT = " " * 10  # of what does not fit beside its verdict


def board_text(board: Board, width: int) -> str:
    """The statements of each experiment with the numbers of every network, and where there are several an overview.

    Args:
        board: what is shown.
        width: signs of a line; longer words (a path, a label) stand over it.
    """
    parts = [section_text(section, width) for section in board.sections]
    if any(cell.deviation == cell.deviation for cell in board.cells):
        parts.append(wrapped("±: standard deviation over runs that differ in their seed", width))
    overviews = [overview(section, width) for section in board.sections if len(section.columns) > 1]
    if overviews:
        parts += [*overviews, wrapped(LEGEND, width)]
    return "\n\n".join(parts)


def section_text(section: Section, width: int) -> str:
    """The statements of one experiment, numbered; those with the same words below one sentence."""
    several = len(section.columns) > 1
    names = max(len(column.label) for column in section.columns) if several else 0
    verdicts = max(len(cell.verdict_text) for line in section.lines for cell in line.cells if cell is not None)
    verdicts = max(verdicts, VERDICT_WIDTH)
    lines = [wrapped(section.title, width)]
    before = ""
    for number, line in enumerate(section.lines, 1):
        if line.claim.statement != before:
            lines += ["", wrapped(line.claim.statement, width, 2)]
            before = line.claim.statement
        subset = f"{line.claim.subset}: " if line.claim.subset else ""
        lines.append(wrapped(f"  {number}. {subset}{line.rule} ({line.claim.claim})", width, 6))
        for column, cell in zip(section.columns, line.cells, strict=True):
            if cell is not None:
                said = [column.label.ljust(names)] if several else []
                samples = f", n = {cell.claims[0].samples}" if cell.claims[0].samples and cell.numbers_text else ""
                said += [cell.numbers_text + samples, f"({cell.runs_text})" if cell.runs_text else ""]
                lines += folded([f"    {cell.verdict_text:>{verdicts}}", *said], width)
        if several and line.verdict:
            lines += folded([f"    {line.verdict:>{verdicts}}", f"{line.scope} networks: {line.count_text}"], width)
    return "\n".join(lines)


def folded(columns: list[str], width: int) -> list[str]:
    """Columns on one line; where they do not fit, the last ones on lines of their own, indented."""
    columns = [text for text in columns if text.strip()]
    count = max((n for n in range(1, len(columns) + 1) if len("  ".join(columns[:n])) <= width), default=1)
    further = "\n".join(wrapped(text.strip(), width - len(INDENT), 0) for text in columns[count:])
    return ["  ".join(columns[:count]).rstrip(), *(INDENT + line for line in further.splitlines())]


def overview(section: Section, width: int) -> str:
    """Networks in lines and statements by their numbers in columns, a sign each; the last line is about all or most networks."""
    rows = [[section.experiment, *(str(number) for number in range(1, len(section.lines) + 1))]]
    for column, cells in zip(section.columns, zip(*(line.cells for line in section.lines), strict=True), strict=True):
        rows.append([column.label, *(SIGNS[cell.verdict] if cell else "" for cell in cells)])
    if any(line.scope for line in section.lines):
        rows.append(["all or most networks", *map(scope_sign, section.lines)])
    return in_blocks(rows, width)


def scope_sign(line: Line) -> str:
    """The verdict over networks as a sign; none where the statement is about each by itself."""
    return SIGNS[line.verdict] if line.verdict else ""
