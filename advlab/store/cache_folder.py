"""The cache as a folder: what lies in it, what of it is damaged, and how something is taken out while runs use it.

`root/<kind>/<key>/` is an artifact, `.<key>.lock` the lock of whoever makes it, `.unfinished-<key>/` its checkpoints; what begins
with `.making-` or `.removing-` is left over from processes that were killed, `<key>.quarantined-<n>` was damaged. All else is not
of the cache and stays. Links are not followed: neither a kind, nor an artifact, nor a file of it is read or removed behind one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advlab.errors import ResultError
from advlab.store.atomic import StorageError
from advlab.store.locks import locked
from advlab.store.sealed import canonical, read_sealed, sha256, sha256_file

KIND = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
KEY = r"([0-9a-f]{32})"
FORMS = {
    "artifact": re.compile(KEY),
    "unfinished": re.compile(rf"\.unfinished-{KEY}"),
    "leftover": re.compile(rf"\.(?:making|removing)-{KEY}-\w+"),
    "quarantined": re.compile(rf"{KEY}\.quarantined-[0-9]+"),
}
Form = Literal["artifact", "unfinished", "leftover", "quarantined"]


@dataclass(frozen=True)
class Entry:
    """A folder of the cache.

    Attributes:
        kind: such as weights.
        key: 32 hexadecimal digits.
        form: artifact; unfinished: checkpoints of one; leftover: of a killed process; quarantined: was damaged.
        path: the folder.
        bytes: of its files.
        made: seconds since 1970.
    """

    kind: str
    key: str
    form: Form
    path: Path
    bytes: int
    made: float

    @property
    def lock(self) -> Path:
        """The lock of whoever makes the artifact."""
        return self.path.with_name(f".{self.key}.lock")


def entries(root: Path, kinds: Sequence[str] = ()) -> list[Entry]:
    """What lies in the cache, by kind and key.

    Args:
        root: of the cache.
        kinds: only these; all by default.

    Raises:
        ResultError: the root cannot be read.
    """
    try:
        folders = sorted(name for name in os.listdir(root) if KIND.fullmatch(name) and is_folder(root / name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultError(f"the cache {root} could not be read ({error.strerror or error})") from error
    return [entry for kind in folders if not kinds or kind in kinds for entry in entries_of_kind(root / kind)]


def entries_of_kind(folder: Path) -> Iterator[Entry]:
    """The entries of one kind; one that is taken away meanwhile is left out."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            for form, pattern in FORMS.items():
                found = pattern.fullmatch(name)
                if found and is_folder(folder / name):
                    with contextlib.suppress(FileNotFoundError):
                        made = os.lstat(folder / name).st_mtime
                        yield Entry(folder.name, found[1], form, folder / name, size(folder / name), made)  # type: ignore[arg-type]  # of FORMS


def is_folder(path: Path) -> bool:
    """Whether a path is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def size(folder: Path) -> int:
    """Bytes of the files below a folder; links count as themselves."""
    total = 0
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def fault_of(entry: Entry) -> str:
    """What is wrong with an artifact: its digests are computed anew; empty where nothing is.

    An artifact that is taken away meanwhile has no fault.
    """
    facts, payload = entry.path / "facts.json", entry.path / "arrays.safetensors"
    try:
        for path in (facts, payload):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return f"{path.name} is no regular file"
        content = read_sealed(facts)
        key = content.get("key")
        if not isinstance(key, dict) or sha256(canonical({"kind": entry.kind, **key}))[:32] != entry.key:
            return "it holds the artifact of another key"
        if not isinstance(content.get("facts"), dict):
            return "it holds no facts"
        if sha256_file(payload) != content.get("sha256"):
            return "arrays.safetensors does not match its digest"
    except (OSError, ResultError) as error:
        if not is_folder(entry.path):
            return ""
        missing = isinstance(error, FileNotFoundError)
        return f"{Path(str(error.filename)).name} is missing" if missing else str(error)  # type: ignore[union-attr]
    return ""


def remove(entry: Entry) -> bool:
    """Take an entry out of the cache; False where a process that makes it holds its lock.

    It is renamed first, so that no reader sees half of it. Whoever needs it later makes it again.

    Raises:
        StorageError: the file system refuses.
    """
    if entry.lock.is_symlink():  # which would be opened behind the link
        return False
    try:
        with locked(entry.lock, wait=False):
            aside = entry.path.with_name(f".removing-{entry.key}-{os.getpid()}_{time.monotonic_ns()}")
            if not is_folder(entry.path):
                return True
            entry.path.rename(aside)
            shutil.rmtree(aside)
    except StorageError:
        raise
    except ResultError:
        return False
    except FileNotFoundError:  # another process was faster
        return True
    except OSError as error:
        raise StorageError(f"{entry.path} could not be removed ({error.strerror or error})", error) from error
    return True
