"""One run on disk: its configuration, plan, cells, tables and manifest, each read with a check and written atomically."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from advlab.errors import ResultError
from advlab.shell import command_to_resume
from advlab.store.atomic import StorageError
from advlab.store.cell_files import read_cell, write_cell
from advlab.store.locks import locked
from advlab.store.plan_shape import PLAN_KEYS, has_manifest_shape, has_plan_shape
from advlab.store.run_configuration import Nodes, archived_nodes, nodes_to_read, nodes_to_resume, read_plan
from advlab.store.run_layout import RunLayout
from advlab.store.run_versions import existing_versions, make_next_version
from advlab.store.sealed import read_sealed, sha256_file, write_sealed
from advlab.store.tables import Frame, read_frame

TEMPORARY = re.compile(r"\..+\.\d+\.tmp\Z")  # what `write_atomic` calls a file until it is whole


class RunDirectory(RunLayout):
    """`<output_root>/<experiment>/<dataset>-<model>[-<attack>][-<defense>]/vNNN/` and everything in it."""

    # the versions of one configuration

    @classmethod
    def versions(cls, folder: Path) -> list[RunDirectory]:
        """The existing versions in a folder, oldest first."""
        return [cls(path) for path in existing_versions(folder)]

    @classmethod
    def create(cls, folder: Path) -> RunDirectory:
        """The next version in a folder: two processes never share one.

        Raises:
            StorageError: the folder cannot be made.
        """
        return cls(make_next_version(folder))

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            ResultError: there is no run at `path`; its versions, if any, are listed.
        """
        run = cls(path)
        try:
            path.stat()
            if any(file.is_file() for file in (run.config_path, run.plan_path, run.manifest_path)):
                return run
            versions = [str(version) for version in existing_versions(path)]
        except (FileNotFoundError, NotADirectoryError):
            versions = []
        except (OSError, ValueError) as error:  # another user's, a name that is too long or no name at all
            raise ResultError(
                f"{str(path)[:200]!r} could not be read ({getattr(error, 'strerror', None) or error})"
            ) from error
        hint = (
            f" Its versions: {', '.join(versions)}."
            if versions
            else " A run is a folder such as outputs/isotropy/digits-lenet/v001."
        )
        raise ResultError(f"{path} is no run directory: it has no config.yaml.{hint}")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; what a killed one left half-written is removed.

        Raises:
            ResultError: another process works on it.
        """
        with locked(self.lock_path, wait=False, message=f"{self.path} is being worked on by another process"):
            folders = (self.path, self.inside("cells"), self.inside("figures"), self.files_path)
            half_written = [path for folder in folders for path in folder.glob(".*.tmp") if TEMPORARY.match(path.name)]
            for leftover in [*half_written, self.status_path]:
                with contextlib.suppress(OSError):
                    leftover.unlink()
            yield

    # configuration and plan

    def nodes(self) -> Nodes:
        """The archived configuration; see `archived_nodes` for what it raises."""
        return archived_nodes(self)

    def nodes_to_read(self) -> Nodes:
        """The configuration that says how to draw the tables; see `nodes_to_read` for what it raises."""
        return nodes_to_read(self)

    def nodes_to_resume(self) -> Nodes:
        """The configuration to go on with; see `nodes_to_resume` for what it raises."""
        return nodes_to_resume(self)

    def plan(self) -> dict[str, Any]:
        """The plan.

        Raises:
            ResultError: it is missing, damaged, or of another version of advlab.
        """
        plan = read_plan(self)
        if PLAN_KEYS - plan.keys():
            raise ResultError(f"{self.plan_path} was written by another version of advlab: start a new run")
        if not has_plan_shape(plan):
            raise ResultError(f"{self.plan_path} is damaged: it has not the shape of a plan: start a new run")
        return plan

    # cells and tables

    def write_cell(
        self, cell_id: str, rows: Sequence[Any], row_type: type, files: Mapping[str, bytes] | None = None,
        *, sync: bool = True,
    ) -> None:  # fmt: skip
        """Write the rows of one cell, after the files that it keeps; see `cell_files.write_cell`."""
        write_cell(self, cell_id, rows, row_type, files or {}, sync=sync)

    def read_cell(self, cell_id: str, row_type: type) -> list[Any] | None:
        """The rows of a finished cell, None when it was not measured; see `cell_files.read_cell` for what it raises."""
        return read_cell(self, cell_id, row_type)

    def read_table(self, row_type: type | None = None) -> Frame:
        """The table, checked against the manifest where there is one.

        Args:
            row_type: the dataclass of its rows, if it is known (see `read_frame`).

        Raises:
            ResultError: the table is missing or does not match.
        """
        return self._verified_frame(self.table_path, row_type)

    def read_claims(self, claim_type: type) -> Frame:
        """The checked statements, themselves checked against the manifest where there is one.

        Args:
            claim_type: the dataclass of a claim, `advlab.statistics.Claim`.

        Raises:
            ResultError: the file is missing or does not match.
        """
        return self._verified_frame(self.claims_path, claim_type)

    def _verified_frame(self, path: Path, row_type: type | None) -> Frame:
        if self.manifest_path.is_file():
            digest = self.manifest().get("files", {}).get(path.name)
            if digest and path.is_file() and sha256_file(path) != digest:
                raise ResultError(
                    f"{path} does not match its manifest: rebuild it with `{command_to_resume(self.path)}`"
                )
        return read_frame(path, row_type)

    # manifest

    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            ResultError: it is missing (the run is not finished) or damaged.
        """
        manifest = read_sealed(self.manifest_path)
        if not has_manifest_shape(manifest):
            raise ResultError(f"{self.manifest_path} is damaged: it has not the shape of a manifest: remove it")
        return manifest

    def write_manifest(self, content: dict[str, Any], files: Sequence[Path]) -> None:
        """Write the manifest with the digests of `files`."""
        write_sealed(self.manifest_path, {**content, "files": self._digests(files)})

    def renew_digests(self, files: Sequence[Path]) -> None:
        """Note in an existing manifest that `files` were written anew (figures drawn again)."""
        if self.manifest_path.is_file():
            content = self.manifest()
            digests = content.pop("files", {}) | self._digests(files)
            write_sealed(self.manifest_path, {**content, "files": digests})

    def _digests(self, files: Sequence[Path]) -> dict[str, str]:
        return {str(path.relative_to(self.path)): sha256_file(path) for path in files}

    def reopen(self) -> None:
        """Take the manifest away: the run is not finished until a new one is written.

        Raises:
            StorageError: the file system refuses.
        """
        try:
            self.manifest_path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self.manifest_path} could not be removed ({error.strerror or error})", error
            ) from error

    def has_cells(self) -> bool:
        """Whether anything was measured."""
        return any(self.inside("cells").glob("*.csv"))

    def finished(self) -> bool:
        """Whether the run is complete according to an intact manifest."""
        try:
            return bool(self.manifest().get("status") == "complete")
        except ResultError:
            return False

    def damaged(self) -> list[str]:
        """The names of files that do not match the manifest; `manifest.json` itself when it is missing or damaged."""
        try:
            manifest = self.manifest()
        except ResultError:
            return ["manifest.json"]
        damaged_names = []
        for name, digest in manifest.get("files", {}).items():
            path = self.inside(*name.split("/"))
            if not path.is_file() or sha256_file(path) != digest:
                damaged_names.append(name)
        return damaged_names
