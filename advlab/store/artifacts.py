"""A cache of what is expensive (trained weights, predictions, tuned batch sizes), keyed by content and verified when read."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, sync_folder
from advlab.store.locks import locked
from advlab.store.sealed import canonical, quarantine, read_sealed, sha256, sha256_file, write_sealed

log = logging.getLogger(__name__)

KeyOfToday = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
Arrays: TypeAlias = dict[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Artifact:
    """Arrays and small JSON facts, and whether they were made now (`fresh`) or read from the cache."""

    arrays: Arrays
    facts: dict[str, Any]
    fresh: bool


class ArtifactStore:
    """Artifacts under `root/<kind>/<key>/`; the key is a digest of everything that determines the content.

    A key never holds a device, a number of workers or a batch size, unless the content is a measurement of just that.

    Args:
        root: the folder; made when something is stored.
        writes: False for a dry run: nothing is stored, and nothing is made that takes long.
        key_of_today: brings the key of an artifact that an earlier version stored, (kind, key), to today's form.
        also_read: another folder of artifacts, in which nothing is ever written or moved: a stranger's run may name it.
    """

    def __init__(
        self, root: Path, *, writes: bool = True, key_of_today: KeyOfToday | None = None, also_read: Path | None = None
    ) -> None:
        self.root = root
        self.writes = writes
        self._key_of_today = key_of_today
        self._other = None if also_read is None else ArtifactStore(also_read, writes=False, key_of_today=key_of_today)
        self._former: dict[
            str, dict[bytes, Path]
        ] = {}  # kind -> today's key -> folder, of those stored under another key

    def folder(self, kind: str, fields: Mapping[str, Any]) -> Path:
        """Where the artifact of these fields lies, or would lie."""
        return self.root / kind / sha256(canonical({"kind": kind, **fields}))[:32]

    def unfinished(self, kind: str, fields: Mapping[str, Any]) -> Path:
        """Where checkpoints lie while the artifact of these fields is being made; whoever makes it deletes the folder."""
        folder = self.folder(kind, fields)
        return folder.with_name(f".unfinished-{folder.name}")

    def find(self, kind: str, fields: Mapping[str, Any]) -> Artifact | None:
        """The stored artifact, verified; a damaged one is quarantined, reported and None is returned."""
        own = self._find_here(kind, fields)
        return own if own is not None or self._other is None else self._other.find(kind, fields)

    def _find_here(self, kind: str, fields: Mapping[str, Any]) -> Artifact | None:
        folder = self.folder(kind, fields)
        if not os.path.isdir(folder):  # false also where it cannot be looked at
            former = self._former_folders(kind).get(canonical(fields))
            if former is None:
                return None
            folder = former
        try:
            facts = read_sealed(folder / "facts.json")
            if canonical(self._today(kind, facts.get("key"))) != canonical(fields):
                raise ResultError(f"{folder} holds the artifact of another key")
            if not isinstance(facts.get("facts"), dict):
                raise ResultError(f"{folder} holds no facts")
            if sha256_file(folder / "arrays.safetensors") != facts.get("sha256"):
                raise ResultError(f"{folder / 'arrays.safetensors'} does not match its digest")
            arrays = dict(load_file(folder / "arrays.safetensors"))
        except (ResultError, OSError) as error:
            if self.writes and os.path.isdir(folder):  # else it was taken away meanwhile, by `advlab cache clean`
                log.warning("%s; moved to %s and made again", error, quarantine(folder))
            return None
        return Artifact(arrays, facts["facts"], fresh=False)

    def _today(self, kind: str, key: Any) -> Any:
        return key if self._key_of_today is None or not isinstance(key, dict) else self._key_of_today(kind, key)

    def _former_folders(self, kind: str) -> dict[bytes, Path]:
        """Today's key -> folder, of the artifacts of a kind that an earlier version stored under another key."""
        if self._key_of_today is None:
            return {}
        if kind not in self._former:
            self._former[kind] = {}
            paths: list[Path] = []
            with contextlib.suppress(OSError):  # of a folder that cannot be looked at
                paths = sorted(self.root.joinpath(kind).glob("[0-9a-f]*/facts.json"))
            for path in paths:
                with contextlib.suppress(ResultError, OSError):
                    key = read_sealed(path).get("key")
                    today = canonical(self._today(kind, key))
                    if today != canonical(key):
                        self._former[kind][today] = path.parent
        return self._former[kind]

    def put(self, kind: str, fields: Mapping[str, Any], arrays: Arrays, facts: Mapping[str, Any]) -> Artifact:
        """Store an artifact: written whole in a temporary folder, then renamed into place.

        Raises:
            StorageError: the file system refuses; nothing half-written stays.
        """
        folder = self.folder(kind, fields)
        temporary = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".making-{folder.name}-", dir=folder.parent))
            payload = temporary / "arrays.safetensors"
            save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, payload)
            with payload.open("rb") as file:
                os.fsync(file.fileno())
            write_sealed(
                temporary / "facts.json", {"sha256": sha256_file(payload), "key": dict(fields), "facts": dict(facts)}
            )
            temporary.rename(folder)
            sync_folder(folder.parent)
        except StorageError:
            raise
        except (OSError, SafetensorError) as error:
            if not os.path.isdir(folder):  # else another process stored the same content first, which serves as well
                raise StorageError(
                    f"{folder} could not be written ({error}): make room, or name another place by run.cache_root=...",
                    error,
                ) from error
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
        return Artifact(arrays, dict(facts), fresh=True)

    def get(
        self, kind: str, fields: Mapping[str, Any], make: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> Artifact:
        """The artifact of these fields, made by `make` when there is none; of several processes that want it one makes it.

        Args:
            kind: the folder, such as `weights`.
            fields: plain JSON; everything that determines the content, and nothing else.
            make: gives the arrays and the facts.

        Raises:
            StorageError: the file system refuses.
        """
        stored = self.find(kind, fields)
        if stored is not None:
            return stored
        if not self.writes:
            arrays, facts = make()
            return Artifact(arrays, dict(facts), fresh=True)
        folder = self.folder(kind, fields)
        message = f"waiting for another process, which makes {folder}"
        with locked(folder.with_name(f".{folder.name}.lock"), wait=True, message=message):
            stored = self.find(kind, fields)  # another process may have made it while this one waited
            if stored is not None:
                return stored
            for leftover in folder.parent.glob(f".making-{folder.name}-*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            arrays, facts = make()
            return self.put(kind, fields, arrays, facts)
