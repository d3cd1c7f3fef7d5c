"""A user's own models, datasets, attacks, defenses and experiments, without forking.

A plug-in is a Python file that registers components with the decorators `advlab.model`, `advlab.dataset`, `advlab.attack`,
`advlab.defense` and `advlab.experiment`. It is named by `--plugin FILE` (may be repeated) or the environment variable
ADVLAB_PLUGINS (separated as PATH is), or it is an installed package with an entry point in the group `advlab.plugins`. Each
component becomes a choice of its group (`model=my_mobilenet`) at once; a YAML file of the same name in a folder given by
Hydra's `--config-dir` replaces that choice. Code is never named from YAML.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from advlab.config import components
from advlab.errors import AdvlabError, ConfigError, Interrupted, one_line, where_it_failed
from advlab.models.torchvision_networks import NAMES
from advlab.plugins.names import registered_choices

VARIABLE = "ADVLAB_PLUGINS"

_loaded_plugins: set[str] = set()  # paths of files and values of entry points: each is imported once in a process


def load_plugins(files: Sequence[str] = ()) -> list[str]:
    """Load the plug-ins of `files`, of ADVLAB_PLUGINS and of installed packages, each once; gives the files that add nothing.

    Raises:
        ConfigError: a file is missing or does not run.
    """
    _register_torchvision()
    named = [*os.environ.get(VARIABLE, "").split(os.pathsep), *files]
    paths = list(dict.fromkeys(os.path.realpath(os.path.expanduser(name)) for name in named if name))
    adding_nothing = []
    for path in paths:
        if path not in _loaded_plugins:
            before = number_of_components()
            _import_file(Path(path))
            _loaded_plugins.add(path)
            adding_nothing += [path] if number_of_components() == before else []
    if files:  # workers of a multirun inherit them
        os.environ[VARIABLE] = os.pathsep.join(paths)
    for entry in entry_points(group="advlab.plugins"):
        if entry.value not in _loaded_plugins:
            with _errors_of(f"the installed plug-in {entry.name} ({entry.value})"):
                entry.load()
            _loaded_plugins.add(entry.value)
    _make_choices()
    return adding_nothing


def plugin_words() -> list[str]:
    """`--plugin FILE` of the files of ADVLAB_PLUGINS, where `load_plugins` adds those that were typed; from the working folder."""
    files = [Path(file) for file in os.environ.get(VARIABLE, "").split(os.pathsep) if file]
    here = Path.cwd()
    return [
        word
        for file in files
        for word in ("--plugin", str(file.relative_to(here) if file.is_relative_to(here) else file))
    ]


def number_of_components() -> int:
    """How many components there are, of all groups."""
    return sum(len(registry.names()) for registry in components.REGISTRIES.values())


def _import_file(path: Path) -> None:
    if not os.path.isfile(path):  # false also where the name is too long or another user's
        fault = "is no file" if os.path.exists(path) else "does not exist"
        raise ConfigError(f"the plug-in {path} {fault}: --plugin takes a Python file")
    digest = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]  # two files may share a name
    spec = importlib.util.spec_from_file_location(f"advlab_plugin_{path.stem}_{digest}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the plug-in {path} is no Python file: --plugin takes one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # its neighbours, as for a script
    try:
        with _errors_of(f"the plug-in {path}"):
            spec.loader.exec_module(module)
    except ConfigError:
        sys.modules.pop(spec.name, None)
        raise
    finally:
        with contextlib.suppress(ValueError):  # the plug-in may have taken it out itself
            sys.path.remove(str(path.parent))


@contextlib.contextmanager
def _errors_of(plugin: str) -> Iterator[None]:
    """Turn whatever a plug-in's code raises into one message that names the plug-in and the line."""
    try:
        yield
    except AdvlabError as error:
        raise ConfigError(f"{plugin}: {one_line(error)}") from error
    except BaseException as error:
        if type(error) in (KeyboardInterrupt, Interrupted):  # the user's, and not the plug-in's
            raise
        raise ConfigError(f"{plugin} failed: {where_it_failed(error)}: mend it") from error


def _make_choices() -> None:
    """Make every registered component a choice of its Hydra group."""
    store = ConfigStore.instance()
    # Hydra copies the store deeply at each of its questions, a second in all for `--help`; its answers are copies anyway
    store.__deepcopy__ = functools.partial(_same_store, store)  # type: ignore[attr-defined]  # copy looks for it there
    for (group, name), (node, package) in registered_choices.items():
        store.store(group=group, name=name, node=node, package=package)


def _same_store(store: Any, memo: Any) -> Any:
    return store


def _register_torchvision() -> None:
    """Make every torchvision classifier a model, with ImageNet as its dataset."""
    for name in NAMES:
        components.REGISTRIES["model"].add(name, f"advlab.models.torchvision_networks:{name}")
        choice = {"defaults": [{"override /dataset": "imagenet"}], "model": {"name": name}}
        registered_choices["model", name] = (choice, "_global_")
