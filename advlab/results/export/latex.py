"""A table of LaTeX (booktabs) whose cells may hold any text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

#: a sign -> what prints it in text, in any font encoding, also at the beginning of a line behind \\\\
SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}", "`": r"\textasciigrave{}", "-": "{-}", '"': r"{''}",
    "\N{GREEK SMALL LETTER EPSILON}": r"\ensuremath{\epsilon}", "±": r"\ensuremath{\pm}", "×": r"\ensuremath{\times}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "∞": r"\ensuremath{\infty}",
    "≤": r"\ensuremath{\le}", "≥": r"\ensuremath{\ge}", "·": r"\ensuremath{\cdot}", "°": r"\ensuremath{^\circ}",
    "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
NEGATIVE = re.compile(r"(?<![^\s\[(])-(?=[\d.]|inf\b)")  # the sign of a number
INFINITY = re.compile(r"(?<![A-Za-z])inf(?![A-Za-z])")
EXPONENT = re.compile(r"(?<=\d)e([+-]\d{2,3})(?!\d)")  # of a number in scientific notation
LETTERS = "ßæÆøØœŒłŁı"  # that LaTeX prints in every font encoding, as it does ASCII's with these accents:
ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"


def latex_table(header: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    r"""A `table` with a `tabular` inside; its preamble needs \usepackage{booktabs} alone.

    Columns of numbers are aligned to the right.

    Args:
        header: names of columns.
        lines: as many cells each.
        caption: of the table.
    """
    kinds = "".join("r" if numeric([line[n] for line in lines]) else "l" for n in range(len(header)))
    rows = [" & ".join(map(escaped, cells)) + r" \\" for cells in (header, *lines)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers alone, and some."""
    return any(cells) and all(is_number(cell) for cell in cells if cell)


def is_number(text: str) -> bool:
    """Whether a text is that of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def escaped(text: str) -> str:
    r"""A text as LaTeX prints it: nothing in it is a command; signs that LaTeX has no letter for become their code.

    >>> print(escaped("50 % of C_1 & \\input{x}"))
    50 \% of C\_1 \& \textbackslash{}input\{x\}
    >>> print(escaped("1.14e+04, inf"))
    1.14\ensuremath{\times10^{4}}, \ensuremath{\infty}
    """
    text = INFINITY.sub("∞", NEGATIVE.sub("\N{MINUS SIGN}", " ".join(text.split())))
    first, *others = EXPONENT.split(text)
    exponents = zip(others[::2], others[1::2], strict=True)
    return plain(first) + "".join(rf"\ensuremath{{\times10^{{{int(e)}}}}}{plain(rest)}" for e, rest in exponents)


def plain(text: str) -> str:
    """A text without numbers in scientific notation."""
    return "".join(map(escaped_sign, text))


def escaped_sign(sign: str) -> str:
    """One sign."""
    if sign in SIGNS:
        return SIGNS[sign]
    parts = unicodedata.normalize("NFD", sign)
    if sign in LETTERS or (" " <= parts[0] <= "~" and (not parts[1:] or (len(parts) == 2 and parts[1] in ACCENTS))):
        return sign
    return rf"\texttt{{U+{ord(sign):04X}}}"
