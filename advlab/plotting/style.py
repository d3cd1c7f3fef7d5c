"""Sizes, fonts and colours of every figure, in one place; colour-blind safe and readable at column width."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import matplotlib as mpl

COLUMN = 3.35  # inches: one column of a two-column paper
PAGE = 6.9  # inches: both columns
SCORES = "viridis_r"  # sequential, monotone in lightness; scores near 1, the most frequent, are dark on white
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito 2008

#: matplotlib's rcParams that differ from its defaults
RC = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "lines.linewidth": 1.2,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": True,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib with the parameters RC while the block runs."""
    with mpl.rc_context(RC):
        yield


def literal(text: str, width: int = 40) -> str:
    """Text from outside (the name of a dataset) for a label: none of it is taken for markup, and it has `width` signs at most.

    A longer one is cut in its middle: labels of runs end with what differs.
    """
    end = (width - 1) // 2
    shown = text if len(text) <= width else f"{text[: width - 1 - end]}…{text[-end:]}"
    return "".join(c if c.isprintable() else "?" for c in shown).replace("$", r"\$")
