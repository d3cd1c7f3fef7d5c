"""Where the packaged YAML files lie."""

from __future__ import annotations

import importlib.util

from advlab.errors import ResultError


def config_folder() -> str:
    """Where the packaged YAML files lie.

    Raises:
        ResultError: the package of them is missing.
    """
    spec = importlib.util.find_spec("advlab.configs")
    if spec is None or not spec.submodule_search_locations:
        raise ResultError("the package advlab.configs is missing: install advlab again")
    return next(iter(spec.submodule_search_locations))
