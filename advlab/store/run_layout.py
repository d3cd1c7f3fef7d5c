"""Which file of a run directory holds what: the only place that knows their names."""

from __future__ import annotations

from pathlib import Path


class RunLayout:
    """The files of the run directory at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def plan_path(self) -> Path:
        """The plan, written before the first cell."""
        return self.path / "plan.json"

    def cell_path(self, cell_id: str) -> Path:
        """The rows of one measured cell."""
        return self.path / "cells" / f"{cell_id}.csv"

    @property
    def table_path(self) -> Path:
        """All rows."""
        return self.path / "table.csv"

    @property
    def claims_path(self) -> Path:
        """The checked statements."""
        return self.path / "claims.csv"

    @property
    def summary_path(self) -> Path:
        """The numbers that the end of a run shows, where its experiment has some."""
        return self.path / "summary.csv"

    def figure_path(self, name: str, suffix: str) -> Path:
        """A figure file."""
        return self.path / "figures" / f"{name}.{suffix}"

    @property
    def log_path(self) -> Path:
        """What the run said, with times."""
        return self.path / "log.txt"

    @property
    def lock_path(self) -> Path:
        """Locked by the process that works on the run."""
        return self.path / ".lock"

    @property
    def manifest_path(self) -> Path:
        """The manifest, written last."""
        return self.path / "manifest.json"
