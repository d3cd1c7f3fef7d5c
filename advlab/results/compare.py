"""Several runs of one experiment, read once: their figure, their numbers side by side, and which statements hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.config.schema import construct
from advlab.errors import ConfigError, ResultError
from advlab.statistics.claims import Claim, claims_across_runs
from advlab.store.names import run_label, safe_name
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import Frame, frame_text, joined_frames


@dataclass(frozen=True)
class ComparedRuns:
    """Runs of one experiment.

    Attributes:
        runs: each once.
        labels: of the runs, no two alike.
        experiment: that of the first run.
        table: the rows of all runs; the column `run` holds their labels.
    """

    runs: list[RunDirectory]
    labels: list[str]
    experiment: Any
    table: Frame

    def plot(self, output: Path | None = None) -> list[Path]:
        """Redraw one run in place, or draw several together; gives the files.

        Args:
            output: the file, or the stem of the files, of the figure; by default in the run's `figures/`, for several
                runs beside the experiment's runs.

        Raises:
            ConfigError: the output's suffix is not known.
        """
        from advlab.plotting.draw import SUFFIXES, draw  # loads matplotlib, which a wrong path need not wait for

        runs = self.runs
        if output is not None:
            if output.suffix and output.suffix[1:] not in (*SUFFIXES, "svg"):
                raise ConfigError(f"--output {output}: the suffix must be .png, .pdf or .svg")
            files = [output] if output.suffix else [output.with_suffix(f".{suffix}") for suffix in SUFFIXES]
        elif len(runs) == 1:
            files = [runs[0].figure_path(self.experiment.name, suffix) for suffix in SUFFIXES]
        else:
            stem = safe_name("+".join(f"{run.path.resolve().parent.name}-{run.path.resolve().name}" for run in runs))
            folder = runs[0].path.resolve().parent.parent / "figures"
            files = [folder / f"{stem}.{suffix}" for suffix in SUFFIXES]
        draw(self.experiment, self.table, files)
        if len(runs) == 1 and output is None:
            runs[0].renew_digests(files)
        return files

    def text(self) -> str:
        """Their numbers side by side, and in how many each of the paper's statements holds, from their claims.csv.

        Raises:
            ResultError: a run has no intact claims.csv.
        """
        numbers = self.experiment.summary(self.table)
        if numbers is not None and numbers["run"].is_unique:
            seconds = dict(zip(self.labels, map(seconds_per_image, self.runs), strict=True))
            numbers["seconds_per_image"] = numbers["run"].map(seconds)
        claims_of_runs = {
            label: [Claim(**row) for row in run.read_claims(Claim).to_dict("records")]
            for label, run in zip(self.labels, self.runs, strict=True)
        }
        parts = ["" if numbers is None else frame_text(numbers), claims_across_runs(claims_of_runs)]
        return "\n".join(part for part in parts if part)


def compare_runs(paths: Sequence[Path]) -> ComparedRuns:
    """Read the runs at `paths`.

    Raises:
        ResultError: a run is missing, damaged or empty.
        ConfigError: the runs are of different experiments.
    """
    runs = list({path.resolve(): RunDirectory.open(path) for path in paths}.values())  # each once

    nodes = [run.nodes() for run in runs]
    names = list(dict.fromkeys(node["experiment"]["name"] for node in nodes))
    if len(names) > 1:
        raise ConfigError(f"runs of different experiments ({', '.join(names)}) cannot be drawn together")
    options = {key: value for key, value in nodes[0]["experiment"].items() if key != "name"}
    cls = components.REGISTRIES["experiment"].load(names[0])
    experiment = cls(construct(cls.Params, options, "experiment"))
    labels = unique_labels([run_label(node) for node in nodes], runs)
    tables = [run.read_table(cls.Row).assign(run=label) for run, label in zip(runs, labels, strict=True)]
    for run, table in zip(runs, tables, strict=True):
        if table.empty:
            raise ResultError(f"{run.table_path} holds no rows")
    return ComparedRuns(runs, labels, experiment, joined_frames(tables))


def seconds_per_image(run: RunDirectory) -> float:
    """What the attack on one image took, by the manifest; NaN where it does not say."""
    attacked = run.manifest().get("attacked", {}) if run.manifest_path.is_file() else {}
    return attacked["seconds"] / attacked["images"] if attacked.get("images") else float("nan")


def unique_labels(labels: Sequence[str], runs: Sequence[RunDirectory]) -> list[str]:
    """The labels, with the version behind those that occur more than once, or the path where that does not tell them."""
    names = [
        f"{label} ({run.path.resolve().name})" if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]
    return [
        f"{label} ({run.path})" if names.count(name) > 1 else name
        for label, name, run in zip(labels, names, runs, strict=True)
    ]
