"""Runs of one experiment side by side: what differs, their numbers and claims, and paired differences on shared samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.errors import ConfigError, ResultError, one_line, printable
from advlab.results.board.cells import Cell
from advlab.results.board.runs import read_claims
from advlab.results.board.text import LEGEND, SIGNS
from advlab.results.board.tidy import without_nan
from advlab.results.compare import ComparedRuns, compare_runs
from advlab.results.differences import Differences
from advlab.results.over_seeds import Group, summary_quantities
from advlab.results.paired import PairedDifference, paired_differences, same_data
from advlab.results.report import numbers_text
from advlab.results.terminal import in_blocks, wrapped
from advlab.statistics.claims import Claim
from advlab.store.tables import FORMULA_STARTS, Frame, frame_of, value_text

MOST_GROUPS = 12  # of paired differences that the terminal shows for one run
FIXED = ("kind", "run", "reference", "quantity", "value", "low", "high", "n", "verdict", "text")


@dataclass(frozen=True)
class Comparison:
    """Several runs of one experiment; the first is what the others are paired with.

    Attributes:
        compared: the runs.
        differences: what differs in their configurations.
        summaries: their numbers, None where the experiment has none.
        claims: their statements, judged.
        pairs: position of a run -> its differences to the first, where they share samples.
    """

    compared: ComparedRuns
    differences: Differences
    summaries: list[Frame | None]
    claims: list[list[Claim]]
    pairs: dict[int, list[PairedDifference]]

    @property
    def labels(self) -> list[str]:
        """Of the runs, no two alike."""
        return [printable(label) for label in self.compared.labels]

    def options(self) -> dict[str, list[str]]:
        """Dotted key -> its values in the runs, of all that differ; then the clean accuracy, where they have one."""
        values = [self.differences.values(number) for number in range(len(self.labels))]
        options = {key: [printable(value[key]) for value in values] for key in self.differences.keys}
        accuracies = [clean_accuracy(manifest) for manifest in manifests(self.compared)]
        return {**options, **({"clean accuracy": accuracies} if any(accuracies) else {})}

    def table(self) -> Frame:
        """All of it as one tidy table.

        Columns:
            kind: `option`, `number` of the summary, `claim`, or `paired` difference.
            run, reference: labels; the latter of paired differences, which are run less reference.
            those that say what a line is about: of the summary, the claims' `subset`, the rows' keys.
            quantity: key of the option, column of the number, short name of the claim.
            value, low, high, n: number or estimate, its 95 % interval and from how many samples.
            verdict: of claims. text: of options and of numbers that are none, and the statistic of paired differences.
        """
        lines: list[dict[str, Any]] = []
        for name, values in self.options().items():
            for label, value in zip(self.labels, values, strict=True):
                lines.append({"kind": "option", "run": label, "quantity": name, "text": value})
        for number, label in enumerate(self.labels):
            lines += [{"kind": "number", "run": label, **line} for line in self._numbers(number)]
            for c in self.claims[number]:
                numbers = {
                    "value": c.estimate,
                    "low": c.family_low,
                    "high": c.family_high,
                    "n": c.samples,
                    "verdict": c.verdict,
                }
                lines.append({"kind": "claim", "run": label, "subset": c.subset, "quantity": c.claim, **numbers})
        for number, pairs in self.pairs.items():
            for pair in pairs:
                about = {f"{key}.key" if key in FIXED else key: value for key, value in pair.keys.items()}
                numbers = {"value": pair.interval.estimate, "low": pair.interval.low, "high": pair.interval.high}
                said = {"run": self.labels[number], "reference": self.labels[0], **about, "quantity": pair.quantity}
                lines.append({"kind": "paired", **said, **numbers, "n": pair.interval.samples, "text": pair.statistic})
        identities = [key for key in dict.fromkeys(key for line in lines for key in line) if key not in FIXED]
        frame = frame_of(lines).reindex(columns=[*FIXED[:3], *identities, *FIXED[3:]])
        return frame.assign(n=frame["n"].astype("Int64"))

    def _numbers(self, number: int) -> list[dict[str, Any]]:
        lines = []
        for quantity in summary_quantities(self._group(number), self.summaries, self.compared.experiment.summary_keys):
            (value,) = quantity.values
            about = {f"{key}.key" if key in FIXED else key: said for key, said in quantity.identity.items()}
            said = {"text": printable(value)} if isinstance(value, str) else {"value": value}
            lines.append({**about, "quantity": quantity.name, **said})
        return lines

    def _group(self, number: int) -> Group:
        return Group(self.labels[number], {}, [number])

    def csv(self) -> str:
        """The tidy table as CSV; text that a spreadsheet would take for a formula begins with an apostrophe."""
        table = self.table()
        for name in table.columns:
            column = [f"'{v}" if isinstance(v, str) and v.startswith(FORMULA_STARTS) else v for v in table[name]]
            table[name] = column
        text: str = table.to_csv(index=False, lineterminator="\n")
        return text

    def json(self) -> str:
        """The runs, and the lines of the tidy table by their kind, without what is empty."""
        content: dict[str, Any] = {
            "experiment": self.compared.experiment.name,
            "runs": [{"run": n, "path": str(run.path)} for n, run in zip(self.labels, self.compared.runs, strict=True)],
        }
        table = self.table()
        for kind in ("option", "number", "claim", "paired"):
            lines = table[table["kind"] == kind].drop(columns="kind").dropna(axis="columns", how="all")
            content[kind] = lines.astype(object).where(lines.notna(), None).to_dict("records")
        return json.dumps(without_nan(content), ensure_ascii=False, indent=2) + "\n"

    def text(self, width: int) -> str:
        """All of it within the terminal's width; of many groups of paired differences some."""
        options = self.options()
        parts = ["nothing differs in the configuration"]
        if options:
            rows = [["", *self.labels], *([name, *values] for name, values in options.items())]
            parts = [in_blocks(rows, width)]
        groups = [self._group(number) for number in range(len(self.labels))]
        parts.append(numbers_text(groups, self.summaries, width, self.compared.experiment.summary_keys))
        parts.append(self._claims_text(width))
        parts += [self._pairs_text(number, width) for number in range(1, len(self.labels))]
        return "\n\n".join(part for part in parts if part)

    def _claims_text(self, width: int) -> str:
        keyed = [{(c.claim, c.subset): c for c in claims} for claims in self.claims]
        keys = list(dict.fromkeys(key for claims in keyed for key in claims))
        if not keys:
            return ""
        rows = [["", *self.labels]]
        for key in keys:
            found = [Cell([claims[key]], []) if key in claims else None for claims in keyed]
            cells = [f"{SIGNS[cell.verdict]} {cell.numbers_text}" if cell else "" for cell in found]
            rows.append([printable(", ".join(word for word in key if word)), *cells])
        return f"{in_blocks(rows, width)}\n{wrapped(LEGEND, width)}"

    def _pairs_text(self, number: int, width: int) -> str:
        pairs, names = self.pairs.get(number), f"{self.labels[number]} less {self.labels[0]}"
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


def comparison_of(paths: Sequence[Path]) -> Comparison:
    """Compare the runs at `paths`.

    Raises:
        ConfigError: there is one run alone, or they are of different experiments.
        ResultError: a run is missing, damaged or empty.
    """
    compared = compare_runs(paths)
    if len(compared.runs) < 2:
        raise ConfigError("two runs or more are compared: name another (advlab compare RUN1 RUN2)")
    columns = [field.name for field in dataclasses.fields(compared.experiment.Row)]
    tables = [compared.table.loc[compared.table["run"] == label, columns] for label in compared.labels]
    pairs = {}
    facts = manifests(compared)
    for number in range(1, len(tables)):
        both = [0, number]
        shared = "sample" in tables[0] and bool(set(tables[0]["sample"]) & set(tables[number]["sample"]))
        if shared and same_data([facts[n] for n in both], [compared.nodes[n] for n in both]):
            pairs[number] = paired_differences(tables[number], tables[0])
    try:
        summaries = compared.summaries()
    except Exception as error:  # each run has made its own summary once; but a stranger's table may hold anything
        raise ResultError(f"a table could not be summed up ({type(error).__name__}: {one_line(error)})") from error
    claims = [list(read_claims(run).values()) for run in compared.runs]
    return Comparison(compared, Differences(compared.nodes), summaries, claims, pairs)


def manifests(compared: ComparedRuns) -> list[dict[str, Any]]:
    """The manifests of the runs, empty where one is missing or damaged."""
    found = []
    for run in compared.runs:
        try:
            found.append(run.manifest())
        except ResultError:
            found.append({})
    return found


def clean_accuracy(manifest: dict[str, Any]) -> str:
    """The share of images that the network of a run classifies correctly; empty where the manifest does not say."""
    said = manifest.get("clean_accuracy")
    accuracy = said.get("accuracy") if isinstance(said, dict) else None
    return f"{accuracy:.4f}" if isinstance(accuracy, float) else ""


def interval_text(pair: PairedDifference) -> str:
    """`0.012 [0.003, 0.02]`."""
    return f"{pair.interval.estimate:.3g} [{pair.interval.low:.3g}, {pair.interval.high:.3g}]"


def group_text(group: Sequence[tuple[str, Any]]) -> str:
    """The values of what a line is about: `l2, 0.1`."""
    return printable(", ".join(value_text(value) for _, value in group)) or "all rows"
