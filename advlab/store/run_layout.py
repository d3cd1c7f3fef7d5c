"""Which file of a run directory holds what: the only place that knows their names, and that none leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

from advlab.errors import ResultError
from advlab.store.names import LONGEST_NAME, is_plain_name


class RunLayout:
    """The files of the run directory at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def inside(self, *names: str) -> Path:
        """The path of a file of the run; every file that is read or written goes through here.

        A run directory may be a stranger's: neither the names in its plan and manifest nor links lead out of it.

        Args:
            names: of folders and last of the file, which may have been read from disk.

        Raises:
            ResultError: a name is none of a file, or the path leads out of the directory.
        """
        path = self.path
        for name in names:
            if not is_plain_name(name, LONGEST_NAME + len(".csv.quarantined-9999")):
                raise ResultError(f"{self.path} names a file {str(name)[:80]!r}, which no run has: start a new run")
            path = path / name
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.path)):
                raise ResultError(f"{path} is a link that leads out of its run's directory: put a copy in its place")
        return path

    def opened(self, name: str) -> Path:
        """The path of a file that is opened to be written to where it stands, not replaced: a pipe would wait for a reader.

        Raises:
            ResultError: as `inside`; or it is a pipe.
        """
        path = self.inside(name)
        if path.is_fifo():
            raise ResultError(f"{path} is a pipe, which would wait for a reader: remove it")
        return path

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.inside("config.yaml")

    @property
    def plan_path(self) -> Path:
        """The plan, written before the first cell."""
        return self.inside("plan.json")

    def cell_path(self, cell_id: str) -> Path:
        """The rows of one measured cell."""
        return self.inside("cells", f"{cell_id}.csv")

    @property
    def table_path(self) -> Path:
        """All rows."""
        return self.inside("table.csv")

    @property
    def claims_path(self) -> Path:
        """The checked statements."""
        return self.inside("claims.csv")

    @property
    def summary_path(self) -> Path:
        """The numbers that the end of a run shows, where its experiment has some."""
        return self.inside("summary.csv")

    def figure_path(self, name: str, suffix: str) -> Path:
        """A figure file."""
        return self.inside("figures", f"{name}.{suffix}")

    @property
    def files_path(self) -> Path:
        """The folder of what cells keep beside their rows, such as images; there is none where they keep nothing."""
        return self.inside("files")

    def kept_file(self, name: str) -> Path:
        """One of them."""
        return self.inside("files", name)

    def kept_files(self) -> list[Path]:
        """All of them, in the order of the names; what no cell has put there (links, names of another kind) is passed over."""
        paths = sorted(path for path in self.files_path.glob("[!.]*") if is_plain_name(path.name))
        return [path for path in paths if path.is_file() and not path.is_symlink()]

    @property
    def log_path(self) -> Path:
        """What the run said, with times."""
        return self.opened("log.txt")

    @property
    def lock_path(self) -> Path:
        """Locked by the process that works on the run."""
        return self.opened(".lock")

    @property
    def status_path(self) -> Path:
        """How far a run on workers has come, while it is under way."""
        return self.inside("status.json")

    @property
    def manifest_path(self) -> Path:
        """The manifest, written last."""
        return self.inside("manifest.json")
