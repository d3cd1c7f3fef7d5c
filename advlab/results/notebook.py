"""A run as a notebook shows it: one figure, the verdicts and the numbers. Every text is escaped."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path

from advlab.store.tables import Frame

COLOURS = {"holds": "#117733", "does not hold": "#aa3300", "undecided": "#666666"}
MOST_ROWS = 40  # of the numbers; `run.summary` has all


def shown_run(title: str, path: Path, figures: Sequence[Path], claims: Frame, summary: Frame | None) -> str:
    """HTML of a run, with its figure inside.

    Args:
        title: what was measured.
        path: of the run.
        figures: its files, of which the first PNG is shown.
        claims: its verdicts.
        summary: its numbers, if it has any.
    """
    parts = [f"<p><b>{html.escape(title)}</b> <code>{html.escape(str(path))}</code></p>"]
    parts += [image_of(figure.read_bytes()) for figure in figures[:1] if figure.suffix == ".png"]
    if len(claims):
        rows = "".join(map(claim_row, claims.to_dict("records")))
        head = "<tr><th>statement</th><th>what decides it</th><th>estimate</th><th>verdict</th></tr>"
        parts.append(f"<table>{head}{rows}</table>")
    if summary is not None:
        parts.append(summary.head(MOST_ROWS).to_html(index=False, float_format=lambda value: f"{value:.4g}"))
    return "\n".join(parts)


def image_of(content: bytes) -> str:
    """A PNG inside the page."""
    return f'<img style="max-width: 100%" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def claim_row(claim: dict[str, object]) -> str:
    """A line of the table of claims."""
    verdict = str(claim["verdict"])
    colour = COLOURS.get(verdict, "#000000")
    bounded = (claim["low"], claim["high"]) != (-math.inf, math.inf)
    bounds = f"[{number(claim['low'])}, {number(claim['high'])}]" if bounded else "(no interval)"
    interval = f"{number(claim['estimate'])} {bounds}"
    decides = f"{claim['quantity']} {claim['relation']} {number(claim['threshold'])}"
    cells = [
        f"{claim['statement']} ({claim['subset']})" if claim.get("subset") else claim["statement"],
        decides,
        interval,
    ]
    texts = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
    return f'<tr>{texts}<td style="color: {colour}">{html.escape(verdict)}</td></tr>'


def number(value: object) -> str:
    """A number with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
