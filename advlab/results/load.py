"""A finished run as data frames: `advlab.load`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.errors import ResultError
from advlab.shell import command_to_resume
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import Frame, later_columns


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A run as data frames: what `advlab.load` returns. It stands for its directory wherever a path is taken.

    Attributes:
        path: its directory.
        table: what was measured, a row for each `Row` of the experiment.
        claims: the paper's statements with intervals and verdicts, a row for each `advlab.statistics.Claim`.
        manifest: versions, device, digests, accuracy and costs of the run.
        summary: the numbers of the figure, as the command line prints them; None where the experiment has none.
        figures: its PNG and PDF files.
    """

    path: Path
    table: Frame
    claims: Frame
    manifest: dict[str, Any]
    summary: Frame | None = None
    figures: tuple[Path, ...] = ()

    @property
    def figure(self) -> Path | None:
        """The PNG of its figure; None where it has none."""
        return next((path for path in self.figures if path.suffix == ".png"), None)

    def __fspath__(self) -> str:
        """Its directory."""
        return str(self.path)

    def __repr__(self) -> str:
        """A line: where it is, what was measured, and how many statements hold."""
        label, holding = self.manifest.get("label", ""), int((self.claims["verdict"] == "holds").sum())
        undecided = int(self.claims["verdict"].isin(["undecided", "not measured"]).sum())
        held = f"{holding} of {len(self.claims)} statements hold, {undecided} are not decided"
        return f"<advlab.Run {self.path}: {label}, {len(self.table)} rows, {held}>"

    def __str__(self) -> str:
        """What `print` shows: what was measured and where it is, and the verdicts as the command line ends with them."""
        from advlab.statistics.claims import Claim, claims_text  # as of `load`

        fields = [field.name for field in dataclasses.fields(Claim)]
        claims = [Claim(**{name: row[name] for name in fields}) for row in self.claims.to_dict("records")]
        lines = [f"{self.manifest.get('label', '')}: {self.path}", claims_text(claims)]
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        """How a notebook shows it: the figure, the verdicts and the numbers."""
        from advlab.results.notebook import shown_run  # as of `load`

        title = str(self.manifest.get("label", self.path.name))
        return shown_run(title, self.path, self.figures, self.claims, self.summary)

    def export(
        self,
        format: str = "markdown",
        *,
        tables: Sequence[str] = (),
        path: str | Path | None = None,
        overwrite: bool = False,
    ) -> str | Path:
        """Its tables for a paper, a page or another program; `advlab export` on the command line.

        Args:
            format: markdown, latex (needs booktabs), json (lossless; see `advlab.results.export.lossless`) or parquet.
            tables: of summary, claims and table; by default the summary, if there is one, and the claims.
            path: a file to write, which is returned; None: the text is.
            overwrite: whether the file may be there already.

        Raises:
            ConfigError: an unknown format or table, or the file is there already.
            MissingPackageError: parquet needs pyarrow.
            StorageError: the file system refuses.
        """
        from advlab.results.export.export import write_export  # as of `load`

        return write_export(self, format, tuple(tables), None if path is None else Path(path), overwrite)


def load(path: str | os.PathLike[str]) -> Run:
    """Read a finished run.

    Args:
        path: a run directory such as `outputs/isotropy/digits-lenet/v001`.

    Raises:
        ResultError: there is no finished run at `path`, or a file does not match the manifest.
    """
    from advlab.statistics.claims import Claim  # loads numpy, which `advlab help` and errors need not wait for

    run = RunDirectory.open(Path(path))
    if not run.manifest_path.is_file():
        raise ResultError(f"{run.path} is not finished: go on with `{command_to_resume(run.path)}`")
    manifest = run.manifest()
    if manifest.get("status") != "complete":
        raise ResultError(f"{run.path} is {manifest.get('status')}: go on with `{command_to_resume(run.path)}`")
    row_type = row_type_of(str(manifest.get("experiment")))
    table = run.read_table().rename(columns=getattr(row_type, "former_columns", {}))
    for name, default in (later_columns(row_type) if row_type else {}).items():
        if name not in table:
            table[name] = default
    figures = sorted((run.path / "figures").glob("*.p[nd][gf]"), key=lambda path: (path.suffix != ".png", path.name))
    return Run(run.path, table, run.read_claims(Claim), manifest, summary_of(run), tuple(figures))


def summary_of(run: RunDirectory) -> Frame | None:
    """The numbers of a run's figure; None where there are none, or they are damaged."""
    import pandas as pd  # as above

    if not run.summary_path.is_file():
        return None
    try:
        return pd.read_csv(run.summary_path)
    except (OSError, ValueError):
        return None


def row_type_of(experiment: str) -> type | None:
    """The dataclass of an experiment's rows today, which says what columns were called before; None where it is not known."""
    if experiment not in components.REGISTRIES["experiment"]:
        return None
    row_type: type = components.REGISTRIES["experiment"].load(experiment).Row
    return row_type
