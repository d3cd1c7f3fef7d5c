"""The board as one HTML page that needs nothing else: no script, no font, no image."""

from __future__ import annotations

from html import escape

from advlab.results.board.board import Board, Line, Section
from advlab.results.board.cells import Cell
from advlab.results.board.text import SIGNS
from advlab.statistics.claims import Verdict

#: blue and orange are told apart by all kinds of colour vision; the signs say the same without colour
STYLE = """
:root { color-scheme: light; font: 15px/1.4 system-ui, sans-serif; color: #1a1a1a; }
body { margin: 2rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; font-size: .87rem; }
th, td { border: solid #c9c9c9; border-width: 0 1px 1px 0; padding: .35rem .55rem; text-align: left; vertical-align: top; }
thead th { border-top-width: 1px; background: #f0f0f0; }
tr > :first-child { border-left-width: 1px; }
tbody th { font-weight: normal; min-width: 19rem; max-width: 27rem; background: #fff; position: sticky; left: 0; }
.section, .rule { color: #555; font-size: .8rem; } .rule { display: block; margin-top: .15rem; }
td { min-width: 8.5rem; } td b { font-weight: 600; }
td span.numbers { display: block; white-space: nowrap; } td small { color: #555; }
.sign { display: inline-block; width: 1em; font-weight: 700; }
.holds { background: #d3e5f5; } .not { background: #fbdcc0; } .undecided { background: #fafafa; } .none { color: #666; }
.changed { outline: 2px solid #1a1a1a; outline-offset: -3px; }
.legend span { padding: .15rem .5rem; margin-right: .5rem; border: 1px solid #c9c9c9; }
@media print { .wide { overflow: visible; } }
"""
CLASSES: dict[Verdict, str] = {
    "holds": "holds",
    "does not hold": "not",
    "undecided": "undecided",
    "not measured": "none",
}


def board_html(board: Board) -> str:
    """The page: a legend, and a table for each experiment."""
    legend = "".join(f'<span class="{CLASSES[v]}"><b>{sign}</b> {v}</span>' for v, sign in SIGNS.items())
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Claims board</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Claims board</h1>
<p class="legend">{legend}</p>
<p>Each cell: the verdict, the estimate and its 95 % interval (of several seeds mean ± standard deviation); the last column is
about the networks together.</p>
{"".join(map(section_html, board.sections))}</body>
</html>
"""


def section_html(section: Section) -> str:
    """The table of one experiment."""
    several = len(section.columns) > 1
    labels = [column.label for column in section.columns] + (["networks"] if several else [])
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in ["statement, and what decides it", *labels])
    rows = "".join(f"<tr>{line_html(line, several=several)}</tr>\n" for line in section.lines)
    return (
        f'<h2>{escape(section.title)}</h2>\n<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n"
    )


def line_html(line: Line, *, several: bool) -> str:
    """A statement, its cells, and the verdict over networks."""
    subset = f"{line.claim.subset}: " if line.claim.subset else ""
    section = f'<span class="section">{escape(line.section)}</span> ' if line.section else ""
    words = f'{section}{escape(line.sentence)}<span class="rule">{escape(subset + line.rule)}</span>'
    cells = "".join(cell_html(cell) for cell in line.cells)
    last = ""
    if several:
        last = f'<td class="{CLASSES[line.verdict] if line.verdict else "none"}">{escape(line.networks_text)}</td>'
    return f'<th scope="row">{words}</th>{cells}{last}'


def cell_html(cell: Cell | None) -> str:
    """One cell, empty where nothing was judged."""
    if cell is None:
        return "<td></td>"
    changed = " changed" if cell.changed else ""
    sign = f'<b><span class="sign">{SIGNS[cell.verdict]}</span>{escape(cell.verdict_text)}</b>'
    numbers, runs = escape(cell.numbers_text), f"<small>{escape(cell.runs_text)}</small>" if cell.runs_text else ""
    return f'<td class="{CLASSES[cell.verdict]}{changed}">{sign}<span class="numbers">{numbers}</span>{runs}</td>'
