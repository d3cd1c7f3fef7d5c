"""Several runs of one experiment, read once: their figure, their numbers side by side, and which statements hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.config.schema import construct
from advlab.errors import ConfigError, ResultError
from advlab.results.differences import Differences, unique_labels
from advlab.results.over_seeds import Group, claim_quantities, seed_groups, summary_quantities, tidy_table
from advlab.results.report import claims_text, numbers_text
from advlab.results.terminal import terminal_width
from advlab.statistics.claims import Claim
from advlab.store.atomic import StorageError
from advlab.store.names import safe_name
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import sha256
from advlab.store.tables import Frame, joined_frames

LONGEST_NAME = 80  # signs, which `safe_name` does not cut


@dataclass(frozen=True)
class ComparedRuns:
    """Runs of one experiment.

    Attributes:
        runs: each once.
        nodes: their configurations.
        labels: of the runs, no two alike; they name what differs.
        experiment: that of the first run.
        table: the rows of all runs; the column `run` holds their labels.
    """

    runs: list[RunDirectory]
    nodes: list[dict[str, dict[str, Any]]]
    labels: list[str]
    experiment: Any
    table: Frame

    def plot(self, output: Path | None = None, width: str = "") -> list[Path]:
        """Redraw one run in place, or draw several together; gives the files.

        Args:
            output: the file, or the stem of the files, of the figure; by default in the run's `figures/`, for several
                runs beside the experiment's runs.
            width: `page` or `column`; empty: as the first run's option `run.figure` says.

        Raises:
            ConfigError: the output's suffix is not known.
        """
        from advlab.plotting.draw import SUFFIXES, draw  # loads matplotlib, which a wrong path need not wait for

        runs = self.runs
        if output is not None:
            if output.name in ("", ".."):
                raise ConfigError("--output names no file: type a file (.png, .pdf, .svg), or a stem for PNG and PDF")
            if output.suffix and output.suffix[1:] not in (*SUFFIXES, "svg"):
                raise ConfigError(f"--output {output}: the suffix must be .png, .pdf or .svg")
            files = [output] if output.suffix else [output.with_suffix(f".{suffix}") for suffix in SUFFIXES]
        elif len(runs) == 1:
            files = [runs[0].figure_path(self.experiment.name, suffix) for suffix in SUFFIXES]
        else:
            stem = joint_name(runs)
            folder = runs[0].path.resolve().parent.parent / "figures"
            files = [folder / f"{stem}.{suffix}" for suffix in SUFFIXES]
        try:
            draw(self.experiment, self.table, files, width or self._width())
        except StorageError as error:
            cause = error.__cause__
            if output is None or not isinstance(cause, OSError):
                raise
            reason = cause.strerror or cause
            raise StorageError(
                f"--output {output}: it could not be written ({reason}): name another file", cause
            ) from cause
        if len(runs) == 1 and output is None:
            runs[0].renew_digests(files)
        return files

    def _width(self) -> str:
        """As the first run was told; runs of before the option, and damaged configurations, have a page."""
        told = self.nodes[0].get("run", {}).get("figure")
        return "column" if told == "column" else "page"

    def sweep_table(self) -> Frame:
        """Their numbers and claims as one tidy table, seeds taken together: sweep.csv, see `tidy_table` for its columns.

        The seconds per image that `text` shows are not in it: they depend on the machine, and not on the configuration
        alone as all that is in it does.

        Raises:
            ResultError: a run has no intact claims.csv.
        """
        claims = self._claims()
        groups, summaries, keys = self._groups(), self.summaries(), self.experiment.summary_keys
        quantities = [q for group in groups for q in summary_quantities(group, summaries, keys)]
        return tidy_table([*quantities, *(q for group in groups for q in claim_quantities(group, claims))])

    def text(self, width: int | None = None) -> str:
        """Their numbers side by side, and in how many each of the paper's statements holds, from their claims.csv.

        Beside the numbers of an attack, the seconds that it took per image.

        Args:
            width: signs of a line; by default the terminal's.

        Raises:
            ResultError: a run has no intact claims.csv.
        """
        width = terminal_width() if width is None else width
        summaries = self.summaries()
        seconds = [seconds_per_image(run) for run in self.runs]
        one_line_each = all(summary is not None and len(summary) == 1 for summary in summaries)
        if one_line_each and any(map(math.isfinite, seconds)):
            for summary, of_run in zip(summaries, seconds, strict=True):
                summary["seconds_per_image"] = of_run
        groups = self._groups()
        parts = [numbers_text(groups, summaries, width, self.experiment.summary_keys),
                 claims_text(groups, self.labels, self._claims(), width)]  # fmt: skip
        return "\n\n".join(part for part in parts if part)

    def _groups(self) -> list[Group]:
        return seed_groups(self.nodes, [run.path for run in self.runs])

    def summaries(self) -> list[Any]:
        """The summary of each run, by its own experiment's parameters; None where there is none."""
        tables = (self.table[self.table["run"] == label] for label in self.labels)
        return [experiment_of(node).summary(table) for node, table in zip(self.nodes, tables, strict=True)]

    def _claims(self) -> list[list[Claim]]:
        return [[Claim(**row) for row in run.read_claims(Claim).to_dict("records")] for run in self.runs]


def compare_runs(paths: Sequence[Path]) -> ComparedRuns:
    """Read the runs at `paths`, which keep their order.

    Raises:
        ResultError: a run is missing, damaged or empty.
        ConfigError: the runs are of different experiments.
    """
    opened = [RunDirectory.open(path) for path in paths]
    runs = list({run.path.resolve(): run for run in opened}.values())  # each once
    nodes = [run.nodes_to_read() for run in runs]
    names = list(dict.fromkeys(node["experiment"]["name"] for node in nodes))
    if len(names) > 1:
        raise ConfigError(f"runs of different experiments ({', '.join(names)}) cannot be compared")
    experiment = experiment_of(nodes[0])
    labels = unique_labels(Differences(nodes).labels(), [run.path for run in runs])
    tables = [run.read_table(experiment.Row).assign(run=label) for run, label in zip(runs, labels, strict=True)]
    for run, table in zip(runs, tables, strict=True):
        if table.empty:
            raise ResultError(f"{run.table_path} holds no rows")
    return ComparedRuns(runs, nodes, labels, experiment, joined_frames(tables))


def experiment_of(nodes: dict[str, dict[str, Any]]) -> Any:
    """The experiment of a run's configuration, with its parameters."""
    options = {key: value for key, value in nodes["experiment"].items() if key != "name"}
    cls = components.REGISTRIES["experiment"].load(nodes["experiment"]["name"])
    return cls(construct(cls.Params, options, "experiment"))


def joint_name(runs: Sequence[RunDirectory]) -> str:
    """What the figure of several runs is called: their folders and versions, or the first with a digest of all."""
    names = [f"{run.path.resolve().parent.name}-{run.path.resolve().name}" for run in runs]
    whole = "+".join(names)
    if len(whole) <= LONGEST_NAME:
        return safe_name(whole)
    return f"{safe_name(names[0])}_and_{len(names) - 1}_more-{sha256(whole.encode())[:8]}"


def seconds_per_image(run: RunDirectory) -> float:
    """What the attack on one image took, by the manifest; NaN where it does not say."""
    attacked = run.manifest().get("attacked", {}) if run.manifest_path.is_file() else {}
    return attacked.get("seconds", math.nan) / attacked["images"] if attacked.get("images") else math.nan
