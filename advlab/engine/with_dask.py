"""The one place from which runs reach Dask: it is loaded by runs on workers alone, and may be missing."""

from __future__ import annotations

import contextlib
from typing import Any

from advlab import collection
from advlab.errors import MissingPackageError


def kept_workers() -> contextlib.AbstractContextManager[None]:
    """While the block runs, the runs of this process share the workers that the first of them starts.

    Raises:
        MissingPackageError: Dask is missing.
    """
    return with_dask().kept_workers()


def with_dask() -> Any:
    """`advlab.engine.workers.pool`, which imports Dask.

    Raises:
        MissingPackageError: it is missing.
    """
    try:
        with collection.paused():
            from advlab.engine.workers import pool
        collection.settle()
    except ImportError as error:
        raise MissingPackageError(
            f'workers need the package {error.name}, which is missing: type pip install "advlab[cluster]"'
        ) from error
    return pool
