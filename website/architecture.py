"""The picture of the architecture, drawn from the levels that tests/test_architecture.py enforces.

Strokes and text have the page's own colour (`currentColor`), so that it is legible in a light and in a dark theme.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from html import escape
from pathlib import Path

MARKER = "<!-- architecture -->"
#: what each part holds, in a few words; tests/website/test_architecture.py checks that no part is left out
HOLDS = {
    "experiments": "the papers' figures and tables", "cli": "the command line", "": "import advlab", "api": "runs from Python",
    "engine": "carries out a run", "plugins": "a user's own code", "lab": "what an experiment is", "training": "recipes",
    "defenses": "defended networks", "geometry": "Jacobians, Hessians", "probes": "perturbations of images",
    "attacks": "adversarial images", "metrics": "numbers about images", "polynomials": "classifiers on [0, 1]",
    "open_set": "networks that reject", "models": "networks, weights", "cluster": "who does the work", "data": "datasets",
    "results": "runs read back", "plotting": "style of figures", "statistics": "claims, verdicts", "config": "YAML, checked",
    "store": "files of a run", "errors": "messages", "progress": "progress bars", "shell": "lines to paste",
    "collection": "of garbage",
}  # fmt: skip
LEFT_OUT = {"__main__", "testing"}
WIDTH, HEIGHT, GAP, MARGIN = 480, 42, 14, 2


def levels(root: Path) -> list[tuple[str, ...]]:
    """The parts of advlab from the highest to the lowest, read from the test that enforces them."""
    tree = ast.parse((root / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (found,) = (
        ast.literal_eval(node.value) for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LEVELS"
    )  # fmt: skip
    rows = [tuple(part for part in parts if part not in LEFT_OUT) for parts in reversed(found)]
    return [row for row in rows if row]


def architecture_svg(rows: Sequence[Sequence[str]]) -> str:
    """A row of boxes for each level; each may import what stands below it."""
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP) - GAP
    parts = [
        f'<svg class="architecture" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="architecture-title">',
        '<title id="architecture-title">The parts of advlab in levels: each imports from levels below its own</title>',
    ]
    for number, row in enumerate(rows):
        top = MARGIN + number * (HEIGHT + GAP)
        width = (WIDTH - 2 * MARGIN - (len(row) - 1) * GAP) / len(row)
        for column, part in enumerate(row):
            left = MARGIN + column * (width + GAP)
            middle = left + width / 2
            parts.append(
                f'<g><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" rx="4"/>'
                f'<text class="name" x="{middle:.1f}" y="{top + 18}">{escape(part or "advlab")}</text>'
                f'<text x="{middle:.1f}" y="{top + 33}">{escape(HOLDS.get(part, ""))}</text></g>'
            )
        if number:
            parts.append(f'<path d="M {WIDTH / 2} {top - GAP + 1} v {GAP - 5} m -4 -4 l 4 4 l 4 -4"/>')
    return "\n".join([*parts, "</svg>"])


def architecture_page(text: str, root: Path) -> str:
    """A page with the picture where its marker stands."""
    return text.replace(MARKER, f'<div class="architecture">\n{architecture_svg(levels(root))}\n</div>')
