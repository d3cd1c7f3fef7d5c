"""The numbers and verdicts of several runs in one tidy table, runs that differ in their seed alone taken together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from advlab.results.differences import SEED, Differences, Nodes, unique_labels
from advlab.results.summary_lines import identity_count, matched_keys, numbered_lines
from advlab.statistics.claims import Claim, Verdict
from advlab.store.tables import Frame, frame_of, value_text

#: column of the table -> the verdict that it counts
VERDICTS: dict[str, Verdict] = {
    "holds": "holds", "does_not_hold": "does not hold", "undecided": "undecided", "not_measured": "not measured",
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Attributes:
        label: without the seed, unlike that of any other group.
        values: dotted key -> value of what differs between the groups.
        runs: their positions among all runs.
    """

    label: str
    values: dict[str, str]
    runs: list[int]


@dataclass(frozen=True)
class Quantity:
    """A number of a summary, or the estimate of a claim, over the runs of a group.

    Attributes:
        group: the runs.
        identity: the columns that say of what it is the number: those of the summary, or the claim's `subset`.
        name: the column of the summary, or the claim's short name.
        values: of the runs, in their order; NaN where one has none. Texts where the column holds text.
        verdicts: of the runs, where it is a claim.
        bound: `>=` or `<=` where the values only bound the quantity of a claim, from below or from above.
        family: claims of one name that the verdicts are simultaneous over; the most of any run.
    """

    group: Group
    identity: dict[str, Any]
    name: str
    values: list[Any]
    verdicts: list[str] | None = None
    bound: str = ""
    family: int = 1

    @property
    def numbers(self) -> list[float]:
        """The values that are numbers, and not NaN."""
        return [float(v) for v in self.values if not isinstance(v, str) and not math.isnan(v)]

    def statistics(self) -> dict[str, Any]:
        """Mean and standard deviation (n - 1 below) over runs, from how many, and the verdicts or what a text says."""
        numbers, texts = self.numbers, [value for value in self.values if isinstance(value, str)]
        counts = {
            column: "" if self.verdicts is None else self.verdicts.count(verdict)
            for column, verdict in VERDICTS.items()
        }
        with np.errstate(over="ignore", invalid="ignore"):  # infinite values have no deviation, and that is no fault
            mean = float(np.mean(numbers)) if numbers else math.nan
            deviation = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else math.nan
        return {
            "mean": mean, "deviation": deviation,
            "n": len(numbers) or len(texts), **counts,
            "bound": self.bound, "family": "" if self.verdicts is None else self.family,
            "text": "; ".join(dict.fromkeys(texts)),
        }  # fmt: skip

    def text(self) -> str:
        """`0.36 ± 0.02`, or the value alone where the runs have the same; with n where some runs have none.

        Where one is infinite or a text, the different values. Behind `>=` or `<=` where they only bound the quantity.
        """
        text = self._values_text()
        return f"{self.bound} {text}" if self.bound and text else text

    def _values_text(self) -> str:
        distinct = list(dict.fromkeys(v for v in self.values if isinstance(v, str) or not math.isnan(v)))
        said = self.statistics()
        missing = f" (n = {said['n']})" if 0 < said["n"] < len(self.group.runs) else ""
        if len(distinct) < 2 or any(isinstance(v, str) or math.isinf(v) for v in distinct):
            return "; ".join(map(value_text, distinct)) + missing
        return f"{said['mean']:.4g} ± {said['deviation']:.2g}{missing}"


def seed_groups(nodes: Sequence[Nodes], paths: Sequence[Path]) -> list[Group]:
    """The runs by what differs but the seed, in the order of their first; repetitions of one seed are groups of their own."""
    differences = Differences(nodes, without=[SEED])
    runs_of: dict[tuple[str, int], list[int]] = {}
    seen: dict[tuple[str, Any], int] = {}
    for run, label in enumerate(differences.labels()):
        seed = (label, nodes[run].get("run", {}).get("seed"))
        seen[seed] = seen.get(seed, 0) + 1
        runs_of.setdefault((label, seen[seed]), []).append(run)
    labels = unique_labels([label for label, _ in runs_of], [paths[runs[0]] for runs in runs_of.values()])
    return [
        Group(label, differences.values(runs[0]), runs) for label, runs in zip(labels, runs_of.values(), strict=True)
    ]


def summary_quantities(group: Group, summaries: Sequence[Frame | None], keys: Sequence[str] = ()) -> list[Quantity]:
    """The numbers of the summaries of a group's runs.

    Lines of several runs are one line where they have the same keys. Keys that are other ones in other runs, and not needed
    to tell the lines of a run apart, are left out: the numbers of different samples have a mean, their indices have none.
    Lines that no key tells apart are numbered, as `line`.

    Args:
        group: the runs.
        summaries: of all runs; the column `run` is passed over.
        keys: the columns that say what a line is about (`Experiment.summary_keys`). Without them, the first columns: as
            many as tell the lines apart, and texts right behind them.
    """
    frames = [frame.drop(columns="run") for run in group.runs if (frame := summaries[run]) is not None]
    if not frames:
        return []
    columns = list(dict.fromkeys(column for frame in frames for column in frame.columns))
    about = [key for key in keys if key in columns] or columns[: max(map(identity_count, frames))]
    runs = [frame.astype(object).where(frame.notna(), None).to_dict("records") for frame in frames]
    matched = matched_keys(runs, about)
    numbered = [numbered_lines(lines, matched) for lines in runs]
    found = dict.fromkeys(key for of_run in numbered for key in of_run)
    repeated = any(number > 1 for _, number in found)
    quantities = []
    for key in found:
        values, number = key
        identity = {name: math.nan if v is None else v for name, v in zip(matched, values, strict=True)}
        identity |= {"line": number} if repeated else {}
        for name in (column for column in columns if column not in about):
            of_runs = [_number_or_text(lines.get(key, {}).get(name)) for lines in numbered]
            quantities.append(Quantity(group, identity, str(name), of_runs))
    return quantities


def _number_or_text(value: Any) -> Any:
    """A value of a summary as it is, NaN where it is missing, and what is no number as text."""
    return math.nan if value is None else value if isinstance(value, int | float) else str(value)


def claim_quantities(group: Group, claims: Sequence[Sequence[Claim]]) -> list[Quantity]:
    """The estimates and verdicts of the claims of a group's runs.

    Args:
        group: the runs.
        claims: of all runs.
    """
    found: dict[tuple[str, str], list[Claim]] = {}
    for run in group.runs:
        for claim in claims[run]:
            found.setdefault((claim.subset, claim.claim), []).append(claim)
    return [
        Quantity(
            group, {"subset": subset}, name, [c.estimate for c in of_runs], [c.verdict for c in of_runs],
            bound=max(c.bound for c in of_runs), family=max(c.family for c in of_runs),
        )
        for (subset, name), of_runs in found.items()
    ]  # fmt: skip


def tidy_table(quantities: Sequence[Quantity]) -> Frame:
    """A line for each quantity of each group.

    Columns:
        run: label of the group.
        one for each dotted key that differs between the groups (`model`, `attack.steps`; with `.name` behind it where the
            summary has a column of that name).
        those of the summaries that say what a line is about, and the claims' `subset`; empty where a line has none.
        kind: `number` of the summaries, or `claim`.
        quantity: column of the summary, or short name of the claim.
        mean, deviation, n: mean and standard deviation (with n - 1) over the runs of the group, NaN left out, and how many
            those are; of claims, of their estimates. Where a value is infinite there is no deviation.
        holds, does_not_hold, undecided, not_measured: in how many runs a claim is so, by the intervals that cover together
            where it is judged several times; empty for numbers.
        bound: `>=` or `<=` where the mean of a claim's estimates only bounds the quantity.
        family: of how many claims of its name a claim's interval is simultaneous; empty for numbers.
        text: the different texts, where the column holds no numbers.
    """
    identities = dict.fromkeys(key for quantity in quantities for key in quantity.identity)
    lines: list[Mapping[str, Any]] = []
    for quantity in quantities:
        values = {f"{k}.name" if k in identities else k: v for k, v in quantity.group.values.items()}
        kind = "number" if quantity.verdicts is None else "claim"
        lines.append({
            "run": quantity.group.label, **values, **dict.fromkeys(identities, ""), **quantity.identity,
            "kind": kind, "quantity": quantity.name, **quantity.statistics(),
        })  # fmt: skip
    return frame_of(lines)
