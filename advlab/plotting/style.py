"""Sizes, fonts and colours of every figure, in one place; colour-blind safe and readable at column width."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from contextvars import ContextVar

import matplotlib as mpl

COLUMN = 3.35  # inches: one column of a two-column paper
PAGE = 6.9  # inches: both columns
WIDTHS = {"page": PAGE, "column": COLUMN}  # by the option `run.figure`
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


#: what differs from them where a figure is one column wide: no text is smaller than 8 points
COLUMN_RC = {
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 1.2,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.0,
}

_width: ContextVar[float] = ContextVar("width", default=PAGE)


@contextlib.contextmanager
def style(figure: str = "page") -> Iterator[None]:
    """Matplotlib with the parameters RC, and the width of figures, while the block runs.

    Args:
        figure: `page`, or `column` for one column of a two-column paper; a figure asks for it by `width` and `narrow`.
    """
    token = _width.set(WIDTHS[figure])
    try:
        with mpl.rc_context({**RC, **(COLUMN_RC if figure == "column" else {})}):
            yield
    finally:
        _width.reset(token)


def width() -> float:
    """How wide the figure that is drawn now shall be, in inches."""
    return _width.get()


def narrow() -> bool:
    """Whether it is one column wide: panels then stand below each other rather than side by side."""
    return width() < PAGE


def small(points: float = 7) -> float:
    """Size of small text: `points` on a page, and 8 at least in a column."""
    return max(points, 8) if narrow() else points


def literal(text: str, width: int = 40) -> str:
    """Text from outside (the name of a dataset) for a label: none of it is taken for markup, and it has `width` signs at most.

    A longer one is cut in its middle: labels of runs end with what differs.
    """
    return plain(shortened(text, width))


def literal_lines(text: str, width: int, lines: int = 2) -> str:
    """The same in several lines of `width` signs, broken at spaces.

    >>> literal_lines("ciresan on gtsrb, samples=100", 20)
    'ciresan on gtsrb,\\nsamples=100'
    """
    broken = textwrap.wrap(text, width, break_on_hyphens=False)
    if len(broken) > lines:
        broken = textwrap.wrap(shortened(text, lines * (width - 4)), width, break_on_hyphens=False)
    return "\n".join(plain(shortened(line, width)) for line in broken[:lines])


def shortened(text: str, width: int) -> str:
    """A text of `width` signs at most, cut in its middle."""
    end = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - end]}…{text[-end:]}"


def plain(text: str) -> str:
    """A text of which matplotlib takes none for markup."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")
