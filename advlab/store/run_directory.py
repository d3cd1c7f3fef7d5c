"""A run directory: the only module that knows its layout; every write atomic."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, sync_folder, write_atomic
from advlab.store.locks import locked
from advlab.store.names import safe_name
from advlab.store.sealed import canonical, quarantine, read_sealed, sha256, sha256_file, write_sealed
from advlab.store.tables import REPEAT, from_csv, read_frame, to_csv

if TYPE_CHECKING:
    import pandas as pd

TRAILER = re.compile(rb"#sha256=([0-9a-f]{64}) rows=(\d+)\n\Z")
VERSION = re.compile(r"v(\d{3,})\Z")
TEMPORARY = re.compile(r"\..+\.\d+\.tmp\Z")
PLAN_KEYS = frozenset(
    ("digest", "experiment", "config", "cells", "prepared", "device", "job", "execution", "weights", "data")
)


class RunDirectory:
    """`<output_root>/<experiment>/<dataset>-<model>/vNNN/` and everything in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # finding and creating

    @classmethod
    def family(cls, output_root: Path, nodes: dict[str, dict[str, Any]]) -> Path:
        """The folder that holds the versions of one experiment on one dataset and model; groups of `none` drop out."""
        names = [nodes[group]["name"] for group in ("dataset", "model") if nodes[group]["name"] != "none"]
        label = nodes["dataset"].get("label", "")
        if label:
            names[0] = label
        folder = output_root / safe_name(nodes["experiment"]["name"])
        return folder / safe_name("-".join(names)) if names else folder

    @classmethod
    def versions(cls, family: Path) -> list[RunDirectory]:
        """The existing versions, oldest first."""
        numbered = []
        if family.is_dir():
            for path in family.iterdir():
                match = VERSION.match(path.name)
                if match and path.is_dir():
                    numbered.append((int(match[1]), path))
        return [cls(path) for _, path in sorted(numbered)]

    @classmethod
    def create(cls, family: Path) -> RunDirectory:
        """Take the next version atomically: two processes never share one.

        Raises:
            StorageError: the folder cannot be made.
        """
        existing = cls.versions(family)
        number = int(existing[-1].path.name[1:]) + 1 if existing else 1
        try:
            family.mkdir(parents=True, exist_ok=True)
            while True:
                path = family / f"v{number:03d}"
                try:
                    path.mkdir(exist_ok=False)
                except FileExistsError:
                    number += 1
                    continue
                sync_folder(family)
                return cls(path)
        except OSError as error:
            raise StorageError(
                f"{family} could not be made ({error.strerror or error}): name another place by run.output_root=..."
            ) from error

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            ResultError: there is no run at `path`; its versions, if any, are listed.
        """
        run = cls(path)
        if run.config_path.is_file() or run.manifest_path.is_file():
            return run
        inner = [str(version.path) for version in cls.versions(path)]
        hint = (
            f" Its versions: {', '.join(inner)}."
            if inner
            else " A run is a folder such as outputs/isotropy/digits-lenet/v001."
        )
        raise ResultError(f"{path} is no run directory: it has no config.yaml.{hint}")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; what a killed one left half-written is removed.

        Raises:
            ResultError: another process works on it.
        """
        with locked(self.path / ".lock", wait=False, message=f"{self.path} is being worked on by another process"):
            for folder in (self.path, self.path / "cells", self.path / "figures"):
                for leftover in folder.glob(".*.tmp"):
                    if TEMPORARY.match(leftover.name):
                        with contextlib.suppress(OSError):
                            leftover.unlink()
            yield

    # layout

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def manifest_path(self) -> Path:
        """Written last."""
        return self.path / "manifest.json"

    @property
    def plan_path(self) -> Path:
        """Written before the first cell."""
        return self.path / "plan.json"

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

    @property
    def log_path(self) -> Path:
        """What the run said."""
        return self.path / "log.txt"

    def figure_path(self, name: str, suffix: str) -> Path:
        """A figure file."""
        return self.path / "figures" / f"{name}.{suffix}"

    def cell_path(self, cell_id: str) -> Path:
        """One measured cell."""
        return self.path / "cells" / f"{cell_id}.csv"

    # cells

    def write_cell(self, cell_id: str, rows: Sequence[Any], row_type: type) -> None:
        """Write the rows of one cell, once, with a digest and a row count in its last line."""
        body = to_csv(rows, row_type).encode()
        write_atomic(self.cell_path(cell_id), body + f"#sha256={sha256(body)} rows={len(rows)}\n".encode())

    def read_cell(self, cell_id: str, row_type: type) -> list[Any] | None:
        """The rows of a finished cell, None when it was not measured.

        Raises:
            ResultError: the file cannot be read, or does not match its digest and has been moved aside.
        """
        path = self.cell_path(cell_id)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ResultError(f"{path} could not be read ({error.strerror or error})") from error
        match = TRAILER.search(data)
        if match and sha256(data[: match.start()]) == match[1].decode():
            with contextlib.suppress(ValueError):
                rows = from_csv(data[: match.start()].decode(), row_type)
                if len(rows) == int(match[2]):
                    return rows
        raise ResultError(f"{path} does not match its digest; moved to {quarantine(path).name}")

    # configuration, plan and manifest

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The archived configuration, one mapping a group.

        Raises:
            ResultError: it is missing or damaged, or not what the plan was made from.
        """
        import yaml

        try:
            nodes = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ResultError(f"{self.config_path} is missing or damaged: {reason}. {REPEAT}") from error
        if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
            raise ResultError(f"{self.config_path} is damaged: it is no mapping of groups. {REPEAT}")
        planned = read_sealed(self.plan_path).get("config") if self.plan_path.is_file() else None
        if planned is not None and not same_content(nodes, planned):
            raise ResultError(
                f"{self.config_path} does not match plan.json: one of them was changed. {REPEAT}, or start a new run"
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
        return plan

    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            ResultError: it is missing (the run is not finished) or damaged.
        """
        return read_sealed(self.manifest_path)

    def reopen(self) -> None:
        """Take the manifest away: the run is not finished until a new one is written.

        Raises:
            StorageError: the file system refuses.
        """
        try:
            self.manifest_path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.manifest_path} could not be removed ({error.strerror or error})") from error

    def write_manifest(self, content: dict[str, Any], files: Sequence[Path]) -> None:
        """Write the manifest with the digests of `files`."""
        digests = {str(path.relative_to(self.path)): sha256_file(path) for path in files}
        write_sealed(self.manifest_path, {**content, "files": digests})

    def renew_digests(self, files: Sequence[Path]) -> None:
        """Note in an existing manifest that `files` were written anew (figures drawn again)."""
        if self.manifest_path.is_file():
            content = self.manifest()
            digests = content.pop("files", {})
            digests.update({str(path.relative_to(self.path)): sha256_file(path) for path in files})
            write_sealed(self.manifest_path, {**content, "files": digests})

    def damaged(self) -> list[str]:
        """The names of files that do not match the manifest; `manifest.json` itself when it is missing or damaged."""
        try:
            manifest = self.manifest()
        except ResultError:
            return ["manifest.json"]
        wrong = []
        for name, digest in manifest.get("files", {}).items():
            path = self.path / name
            if not path.is_file() or sha256_file(path) != digest:
                wrong.append(name)
        return wrong

    def finished(self) -> bool:
        """Whether the run is complete according to an intact manifest."""
        try:
            return bool(self.manifest().get("status") == "complete")
        except ResultError:
            return False

    def read_table(self, row_type: type | None = None) -> pd.DataFrame:
        """The table, checked against the manifest where there is one.

        Args:
            row_type: the dataclass of its rows, if it is known (see `read_frame`).

        Raises:
            ResultError: the table is missing or does not match.
        """
        return self._verified_frame(self.table_path, row_type)

    def read_claims(self, claim_type: type) -> pd.DataFrame:
        """The checked statements, themselves checked against the manifest where there is one.

        Args:
            claim_type: the dataclass of a claim, `advlab.statistics.claims.Claim`.

        Raises:
            ResultError: the file is missing or does not match.
        """
        return self._verified_frame(self.claims_path, claim_type)

    def _verified_frame(self, path: Path, row_type: type | None) -> pd.DataFrame:
        if self.manifest_path.is_file():
            digest = self.manifest().get("files", {}).get(path.name)
            if digest and path.is_file() and sha256_file(path) != digest:
                raise ResultError(f"{path} does not match its manifest: rebuild it with `advlab resume {self.path}`")
        return read_frame(path, row_type)


def same_content(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two mappings are the same as JSON."""
    try:
        return canonical(a) == canonical(b)
    except (TypeError, ValueError):  # YAML can say what JSON cannot
        return False
