"""JSON files that carry the digest of their own content, digests, and moving aside what does not match its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.bounded import read_json


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    """JSON bytes that depend on the content alone: sorted keys, no spaces, shortest floats."""
    return json_bytes(value, sort_keys=True, separators=(",", ":"))


def json_bytes(value: Any, **options: Any) -> bytes:
    """JSON in UTF-8; what is no Unicode (a file name in another encoding) becomes an escape and reads back the same."""
    return json.dumps(value, ensure_ascii=False, **options).encode("utf-8", "backslashreplace")


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object that carries the digest of its own content."""
    seal = sha256(canonical(dict(content)))
    write_atomic(path, json_bytes({**content, "seal": seal}, indent=2) + b"\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises:
        ResultError: the file is missing, is no JSON of a size that is written here, or does not match its seal.
    """
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise ResultError(f"{path} is missing") from error
    except OSError as error:
        raise ResultError(f"{path} could not be read ({error.strerror or error})") from error
    except ValueError as error:
        raise ResultError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict) or content.pop("seal", None) != sha256(canonical(content)):
        raise ResultError(f"{path} is damaged: its content does not match its seal")
    return content


def quarantine(path: Path) -> Path:
    """Move a damaged file or folder aside, beside itself, and return where it lies now.

    Raises:
        StorageError: the file system refuses.
    """
    for attempt in range(1, 10_000):
        aside = path.with_name(f"{path.name}.quarantined-{attempt}")
        if not aside.exists():
            try:
                path.rename(aside)
            except FileNotFoundError:  # another process moved it first
                pass
            except OSError as error:
                raise StorageError(
                    f"{path} is damaged and could not be moved aside ({error.strerror or error}): remove it",
                    error,
                ) from error
            return aside
    raise ResultError(f"{path} has been quarantined 9999 times: the storage below it is not reliable")
