"""Where the keys of a run lie while jobs need them: readable by the user alone, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import distributed

from advlab.errors import ResultError
from advlab.store.atomic import StorageError
from advlab.store.locks import locked

FOLDER, ROLES = ".workers", ("scheduler", "worker", "client")


@contextlib.contextmanager
def key_folder(root: Path) -> Iterator[Path]:
    """A folder for keys below the results, which all nodes see; those of processes that were killed are removed.

    Args:
        root: of the results.

    Raises:
        StorageError: it cannot be made.
    """
    parent = Path(os.path.realpath(root)) / FOLDER
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.ExitStack() as held:
            with locked(parent / "lock", wait=True):
                remove_abandoned(parent)
                folder = Path(tempfile.mkdtemp(prefix="keys-", dir=parent))  # with mode 700
                held.enter_context(locked(folder / "lock", wait=False))
            kept = held.pop_all()
    except OSError as error:
        raise StorageError(
            f"{parent} could not be made ({error.strerror or error}): name another place by run.output_root=..."
        ) from error
    with kept:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def security_in(folder: Path) -> distributed.Security:
    """Certificate and key of a run, made now, as files that jobs can read as the user."""
    made = distributed.Security.temporary()
    paths = {}
    for name, content in {"certificate": made.tls_client_cert, "key": made.tls_client_key}.items():
        paths[name] = str(folder / f"{name}.pem")
        with os.fdopen(os.open(paths[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(str(content))
    both = {f"tls_{role}_cert": paths["certificate"] for role in ROLES} | {
        f"tls_{role}_key": paths["key"] for role in ROLES
    }
    return distributed.Security(tls_ca_file=paths["certificate"], require_encryption=True, **both)


def remove_abandoned(parent: Path) -> None:
    """Remove the keys of processes that are over; a living one holds a lock."""
    for folder in parent.glob("keys-*"):
        with contextlib.suppress(ResultError), locked(folder / "lock", wait=False):
            shutil.rmtree(folder, ignore_errors=True)
