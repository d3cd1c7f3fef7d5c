"""Runs of one experiment side by side: what differs, their numbers and claims, and paired differences on shared samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.errors import ConfigError, ResultError, one_line, printable
from advlab.results.board.runs import read_claims
from advlab.results.board.tidy import without_nan
from advlab.results.compare import ComparedRuns, compare_runs
from advlab.results.differences import Differences
from advlab.results.over_seeds import Group, summary_quantities
from advlab.results.paired import PairedDifference, paired_differences, same_data
from advlab.statistics.claims import Claim
from advlab.store.tables import FORMULA_STARTS, Frame, frame_of

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
        for quantity in summary_quantities(self.group(number), self.summaries, self.compared.experiment.summary_keys):
            (value,) = quantity.values
            about = {f"{key}.key" if key in FIXED else key: said for key, said in quantity.identity.items()}
            said = {"text": printable(value)} if isinstance(value, str) else {"value": value}
            lines.append({**about, "quantity": quantity.name, **said})
        return lines

    def group(self, number: int) -> Group:
        """A run by itself, as the summaries take it."""
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
