"""Figures whose files are not rendered: of a small run, rendering takes three quarters of the time.

Figures are built all the same, so what a plot reads, computes and refuses is seen; text, layout and the files' content are
the matter of the tests with the marker `renders`.
"""

from __future__ import annotations

from typing import Any


def unrendered(figure: Any, target: Any, *_: Any, format: str, **__: Any) -> None:
    """In the place of `Figure.savefig` as `advlab.plotting.draw` calls it."""
    target.write(f"a figure of {len(figure.axes)} axes, not rendered as {format}".encode())


#: the same in another process
UNRENDERED = f"""
import runpy
from matplotlib.figure import Figure

Figure.savefig = runpy.run_path({__file__!r})["unrendered"]
"""
