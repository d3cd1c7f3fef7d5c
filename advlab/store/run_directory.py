"""One run on disk: its configuration, plan, cells, tables and manifest, each read with a check and written atomically."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from advlab.errors import ResultError
from advlab.store.atomic import StorageError
from advlab.store.cell_files import read_cell_file, write_cell_file
from advlab.store.locks import locked
from advlab.store.plan_shape import PLAN_KEYS, has_plan_shape
from advlab.store.run_layout import RunLayout
from advlab.store.run_versions import existing_versions, make_next_version
from advlab.store.sealed import canonical, read_sealed, sha256_file, write_sealed
from advlab.store.tables import REMEDY, Frame, read_frame

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
        if run.config_path.is_file() or run.manifest_path.is_file():
            return run
        versions = [str(version) for version in existing_versions(path)]
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
            for folder in (self.path, self.path / "cells", self.path / "figures"):
                for leftover in folder.glob(".*.tmp"):
                    if TEMPORARY.match(leftover.name):
                        with contextlib.suppress(OSError):
                            leftover.unlink()
            yield

    # configuration and plan

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The archived configuration, one mapping a group.

        Raises:
            ResultError: it is missing or damaged, or not what the plan was made from.
        """
        try:
            nodes = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ResultError(f"{self.config_path} is missing or damaged: {reason}. {REMEDY}") from error
        if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
            raise ResultError(f"{self.config_path} is damaged: it is no mapping of groups. {REMEDY}")
        if not all(isinstance(node.get("name", ""), str) for node in nodes.values()):
            raise ResultError(f"{self.config_path} is damaged: the name of a component is no text. {REMEDY}")
        planned = read_sealed(self.plan_path).get("config") if self.plan_path.is_file() else None
        if planned is not None and not same_content(nodes, planned):
            raise ResultError(
                f"{self.config_path} does not match plan.json: one of them was changed. {REMEDY}, or start a new run"
            )
        return nodes

    def plan(self) -> dict[str, Any]:
        """The plan.

        Raises:
            ResultError: it is missing, damaged, or of another version of advlab.
        """
        plan = read_sealed(self.plan_path)
        if PLAN_KEYS - plan.keys():
            raise ResultError(f"{self.plan_path} was written by another version of advlab: start a new run")
        if not has_plan_shape(plan):
            raise ResultError(f"{self.plan_path} is damaged: it has not the shape of a plan: start a new run")
        return plan

    # cells and tables

    def write_cell(self, cell_id: str, rows: Sequence[Any], row_type: type) -> None:
        """Write the rows of one cell; see `write_cell_file`."""
        write_cell_file(self.cell_path(cell_id), rows, row_type)

    def read_cell(self, cell_id: str, row_type: type) -> list[Any] | None:
        """The rows of a finished cell, None when it was not measured; see `read_cell_file` for what it raises."""
        return read_cell_file(self.cell_path(cell_id), row_type)

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
                raise ResultError(f"{path} does not match its manifest: rebuild it with `advlab resume {self.path}`")
        return read_frame(path, row_type)

    # manifest

    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            ResultError: it is missing (the run is not finished) or damaged.
        """
        return read_sealed(self.manifest_path)

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
            raise StorageError(f"{self.manifest_path} could not be removed ({error.strerror or error})") from error

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
            path = self.path / name
            if not path.is_file() or sha256_file(path) != digest:
                damaged_names.append(name)
        return damaged_names


def same_content(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two mappings are the same as JSON."""
    try:
        return canonical(a) == canonical(b)
    except (TypeError, ValueError):  # YAML can say what JSON cannot
        return False
