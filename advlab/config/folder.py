"""Where the packages of YAML files and of code lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from advlab.errors import ResultError


def package_folder(package: str) -> Path:
    """The folder of a package, which is not imported for it.

    Raises:
        ResultError: the package is missing.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ResultError(f"the package {package} is missing: install advlab again")
    return Path(next(iter(spec.submodule_search_locations)))


def config_folder() -> Path:
    """Where the packaged YAML files lie.

    Raises:
        ResultError: the package of them is missing.
    """
    return package_folder("advlab.configs")
