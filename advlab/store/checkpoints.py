"""Checkpoints of long work under way: sealed, the newest two kept, a damaged one set aside and the one before taken."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, sync_folder
from advlab.store.bounded import check_size
from advlab.store.sealed import canonical, quarantine, read_sealed, sha256_file, write_sealed

log = logging.getLogger(__name__)

Arrays: TypeAlias = dict[str, "np.ndarray[Any, Any]"]
NAME = re.compile(r"step-([0-9]{12})")
KEPT = 2


class CheckpointFolder:
    """Checkpoints `step-N/` of one piece of work: `arrays.safetensors` and `state.json`, which holds the digest of it.

    Whoever writes or reads here holds the lock of the work.

    Args:
        folder: made when the first checkpoint is written.
        key: plain JSON; of the work. A checkpoint of another one is damaged.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        self.folder, self.key = folder, dict(key)

    def write(self, step: int, arrays: Arrays, state: Mapping[str, Any]) -> None:
        """Write the checkpoint after `step` steps, and delete all but the newest two.

        Raises:
            StorageError: the file system refuses; the checkpoints before it stand.
        """
        temporary = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(".making-*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=self.folder))
            payload = temporary / "arrays.safetensors"
            save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, payload)
            with payload.open("rb") as file:
                os.fsync(file.fileno())
            content = {"sha256": sha256_file(payload), "key": self.key, "step": step, "state": dict(state)}
            write_sealed(temporary / "state.json", content)
            target = self.folder / f"step-{step:012d}"
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
            sync_folder(self.folder)
        except StorageError:
            raise
        except (OSError, SafetensorError) as error:
            raise StorageError(f"{self.folder} could not be written ({error})", error) from error
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
        for _, former in list(self._newest_first())[KEPT:]:
            shutil.rmtree(former, ignore_errors=True)

    def restore(self, take: Callable[[int, Arrays, dict[str, Any]], None], largest: int) -> int:
        """Hand the newest checkpoint that is whole to `take`; those that are not are set aside, and it is said.

        Args:
            take: of (steps done, arrays, state); raises ValueError, before it changes anything, where they do not fit.
            largest: bytes of the arrays' file; a larger one is not read.

        Returns:
            the steps that were done, 0 if there is no checkpoint.

        Raises:
            StorageError: a damaged one could not be moved aside.
        """
        for step, path in self._newest_first():
            try:
                arrays, state = self._read(path, step, largest)
                take(step, arrays, state)
            except (ResultError, OSError, ValueError, SafetensorError) as error:
                log.warning("the checkpoint %s is damaged (%s): it is set aside as %s", path, error, quarantine(path))
                continue
            return step
        return 0

    def newest(self) -> int:
        """The steps of the newest checkpoint, 0 if there is none; its content is not looked at."""
        return next((step for step, _ in self._newest_first()), 0)

    def delete(self) -> None:
        """Delete the folder with all that it holds, if it is there."""
        if os.path.lexists(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> Iterator[tuple[int, Path]]:
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = os.listdir(self.folder)
        for name in sorted(names, reverse=True):
            if found := NAME.fullmatch(name):
                yield int(found[1]), self.folder / name

    def _read(self, path: Path, step: int, largest: int) -> tuple[Arrays, dict[str, Any]]:
        payload = path / "arrays.safetensors"
        check_size(payload, largest)
        content = read_sealed(path / "state.json")
        if canonical(content.get("key")) != canonical(self.key) or content.get("step") != step:
            raise ResultError("it is of another training or step")
        if not isinstance(content.get("state"), dict):
            raise ResultError("it holds no state")
        if sha256_file(payload) != content.get("sha256"):
            raise ResultError("its arrays do not match their digest")
        return dict(load_file(payload)), content["state"]
