"""A comparison of runs within the terminal's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advlab.errors import printable
from advlab.results.board.cells import Cell
from advlab.results.board.text import LEGEND, SIGNS
from advlab.results.comparison import Comparison
from advlab.results.paired import PairedDifference
from advlab.results.report import numbers_text
from advlab.results.terminal import in_blocks, wrapped
from advlab.statistics.intervals import interval_text as bounds_text
from advlab.store.tables import value_text

MOST_GROUPS = 12  # of paired differences that are shown for one run


def comparison_text(comparison: Comparison, width: int) -> str:
    """All of it within the terminal's width; of many groups of paired differences some."""
    options = comparison.options()
    parts = ["nothing differs in the configuration"]
    if options:
        rows = [["", *comparison.labels], *([name, *values] for name, values in options.items())]
        parts = [in_blocks(rows, width)]
    groups = [comparison.group(number) for number in range(len(comparison.labels))]
    parts.append(numbers_text(groups, comparison.summaries, width, comparison.compared.experiment.summary_keys))
    parts.append(claims_text(comparison, width))
    parts += [pairs_text(comparison, number, width) for number in range(1, len(comparison.labels))]
    return "\n\n".join(part for part in parts if part)


def claims_text(comparison: Comparison, width: int) -> str:
    """Statements in lines and runs in columns, a sign and the numbers of each."""
    keyed = [{(c.claim, c.subset): c for c in claims} for claims in comparison.claims]
    keys = list(dict.fromkeys(key for claims in keyed for key in claims))
    if not keys:
        return ""
    rows = [["", *comparison.labels]]
    for key in keys:
        found = [Cell([claims[key]], []) if key in claims else None for claims in keyed]
        cells = [f"{SIGNS[cell.verdict]} {cell.numbers_text}" if cell else "" for cell in found]
        rows.append([printable(", ".join(word for word in key if word)), *cells])
    return f"{in_blocks(rows, width)}\n{wrapped(LEGEND, width)}"


def pairs_text(comparison: Comparison, number: int, width: int) -> str:
    """The paired differences of a run to the first; of many groups some."""
    pairs, names = comparison.pairs.get(number), f"{comparison.labels[number]} less {comparison.labels[0]}"
    if pairs is None:
        return wrapped(f"{names}: not paired, for the runs share no samples", width)
    if not pairs:
        return wrapped(f"{names}: the same on all shared samples", width)
    groups = list(dict.fromkeys(tuple(pair.keys.items()) for pair in pairs))
    step = (len(groups) - 1) / (MOST_GROUPS - 1)
    shown = groups if len(groups) <= MOST_GROUPS else [groups[round(n * step)] for n in range(MOST_GROUPS)]
    quantities = list(dict.fromkeys((pair.quantity, pair.statistic) for pair in pairs))
    texts = {(tuple(pair.keys.items()), pair.quantity): interval_text(pair) for pair in pairs}
    rows = [[", ".join(key for key, _ in groups[0]), *(f"{statistic} {name}" for name, statistic in quantities)]]
    rows += [[group_text(group), *(texts.get((group, name), "") for name, _ in quantities)] for group in shown]
    samples = max(pair.interval.samples for pair in pairs)
    head = f"{names}: paired differences over {samples} shared samples, with their 95 % intervals"
    if len(shown) < len(groups):
        head += f" ({len(shown)} of {len(groups)} lines; --format csv has all)"
    return wrapped(head, width) + "\n" + in_blocks(rows, width)


def interval_text(pair: PairedDifference) -> str:
    """`0.012 [0.003, 0.02]`."""
    return bounds_text(pair.interval.estimate, pair.interval.low, pair.interval.high)


def group_text(group: Sequence[tuple[str, Any]]) -> str:
    """The values of what a line is about: `l2, 0.1`."""
    return printable(", ".join(value_text(value) for _, value in group)) or "all rows"
