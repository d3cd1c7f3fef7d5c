"""A run's configuration and plan, as workers read them from the cache that they share with the runner.

The file also shows whether they share it: a worker that cannot read it would make stages that no other worker finds.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.engine.provenance import versions
from advlab.engine.workers.leftovers import remove_old
from advlab.errors import ResultError
from advlab.store.sealed import canonical, read_sealed, sha256, write_sealed

FOLDER = "runs-in-work"


@dataclass(frozen=True)
class Handover:
    """Where a worker finds what it is to carry out.

    Attributes:
        path: of the file in the cache.
        digest: of its content.
        also_read: a second cache, of which nothing is written; empty for none.
        mixed: whether it may have another device than the plan was made on, and other packages than the runner.
    """

    path: str
    digest: str
    also_read: str = ""
    mixed: bool = False


@contextlib.contextmanager
def handed_over(
    nodes: Mapping[str, Any], plan: Mapping[str, Any], cache: Path, also_read: Path | None, *, mixed: bool
) -> Iterator[Handover]:
    """While the block runs, what workers need lies in the cache.

    Args:
        nodes: the archived configuration, whose folders are absolute.
        plan: of the run.
        cache: its root.
        also_read, mixed: see `Handover`.

    Raises:
        StorageError: the cache cannot be written, and workers could not share stages.
    """
    content = {"nodes": dict(nodes), "plan": dict(plan), "packages": versions()}
    digest = sha256(canonical(content))
    path = cache.absolute() / FOLDER / f"{digest[:32]}-{uuid.uuid4().hex[:8]}.json"  # two runs may have one plan
    remove_old(path.parent)  # of runners that were killed
    write_sealed(path, content)
    try:
        yield Handover(str(path), digest, "" if also_read is None else str(also_read.absolute()), mixed)
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def taken_over(handover: Handover) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration and the plan, read by a worker.

    Raises:
        ResultError: the file cannot be read here, or is another one; or packages have other versions here.
    """
    path = Path(handover.path)
    try:
        content = read_sealed(path)
    except ResultError as error:
        raise ResultError(
            f"the cache of the run cannot be read by this worker ({error}): name a folder that all of them share, by "
            "run.cache_root=..."
        ) from error
    if sha256(canonical(content)) != handover.digest:
        raise ResultError(
            f"{path} is not what the runner wrote: name a cache that all workers share, by run.cache_root=..."
        )
    if not handover.mixed:
        check_packages(content["packages"], versions())
    return content["nodes"], content["plan"]


def check_packages(runners: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Refuse packages that give other bits than the runner's, as the image of a container may hold them; not for Python's own.

    Raises:
        ResultError: names them, and what allows them.
    """
    other = [name for name in runners if name != "python" and own.get(name) != runners[name]]
    if other:
        told = ", ".join(f"{name} {own.get(name, 'not installed')} (the runner: {runners[name]})" for name in other)
        raise ResultError(
            f"this worker has {told}: other versions give other bits. Install the same, or type cluster.mixed=true"
        )
