"""The numbers and verdicts of several runs as text within the terminal's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advlab.results.over_seeds import Group, Quantity, claim_quantities, summary_quantities
from advlab.results.terminal import in_blocks, wrapped
from advlab.statistics.claims import Claim, claims_across_runs
from advlab.store.tables import Frame, value_text


def numbers_text(
    groups: Sequence[Group], summaries: Sequence[Frame | None], width: int, keys: Sequence[str] = ()
) -> str:
    """The summaries side by side: a line for each number, mean ± standard deviation where a group has several seeds.

    Args:
        groups: the runs by what differs but the seed.
        summaries: of all runs.
        width: of the terminal.
        keys: the summary's columns that say what a line is about.
    """
    columns: list[dict[str, str]] = []
    for group in groups:
        of_identity: dict[tuple[Any, ...], list[Quantity]] = {}
        for quantity in summary_quantities(group, summaries, keys):
            of_identity.setdefault(tuple(quantity.identity.values()), []).append(quantity)
        for quantities in of_identity.values():
            identity = {name: value_text(value) for name, value in quantities[0].identity.items()}
            seeds = {"seeds": str(len(group.runs))} if any(len(other.runs) > 1 for other in groups) else {}
            numbers = {quantity.name: quantity.text() for quantity in quantities}
            columns.append({"run": group.label, **seeds, **identity, **numbers})
    names = dict.fromkeys(name for column in columns for name in column)
    return (
        in_blocks([[name, *(column.get(name, "") for column in columns)] for name in names], width) if columns else ""
    )


def summary_text(summary: Frame, width: int) -> str:
    """The summary of one run, a line for each of its columns, within the width."""
    rows = [[name, *(value_text(value) or "-" for value in summary[name])] for name in map(str, summary.columns)]
    undefined = "\n-: not defined, such as a mean over no success" if any("-" in row[1:] for row in rows) else ""
    return in_blocks(rows, width) + undefined


def claims_text(groups: Sequence[Group], labels: Sequence[str], claims: Sequence[list[Claim]], width: int) -> str:
    """In how many runs each statement holds, and in which it does not; with several seeds, a line for each group.

    Args:
        groups: the runs by what differs but the seed.
        labels: of all runs.
        claims: of all runs.
        width: of the terminal.
    """
    if all(len(group.runs) == 1 for group in groups):
        lines = claims_across_runs(dict(zip(labels, claims, strict=True))).splitlines()
        return "\n".join(wrapped(line, width) for line in lines)
    of_groups: dict[tuple[str, str], list[Quantity]] = {}
    for quantity in (quantity for group in groups for quantity in claim_quantities(group, claims)):
        of_groups.setdefault((quantity.identity["subset"], quantity.name), []).append(quantity)
    said = []
    for (subset, name), quantities in of_groups.items():
        verdicts = [verdict for quantity in quantities for verdict in quantity.verdicts or ()]
        said.append(wrapped(f"{subset}  {name}: holds in {verdicts.count('holds')} of {len(verdicts)}", width))
        said += [wrapped(f"    {quantity.group.label}: {verdicts_text(quantity)}", width, 8) for quantity in quantities]
    if any(" ± " in line for line in said):
        said.append(wrapped("±: standard deviation over the runs of a line, which differ in their seed", width))
    return "\n".join(said)


def verdicts_text(quantity: Quantity) -> str:
    """The verdicts of one group's runs and their estimates: `holds in 2 of 3, undecided in 1: 0.36 ± 0.02`."""
    verdicts = quantity.verdicts or []
    counts = [(verdict, verdicts.count(verdict)) for verdict in dict.fromkeys(verdicts)]
    first, *others = [f"{verdict} in {count}" for verdict, count in counts]
    return ", ".join([f"{first} of {len(verdicts)}", *others]) + f": {quantity.text()}"
