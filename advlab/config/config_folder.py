"""The YAML files of `--config-dir`, which may be a stranger's: bounded before they are expanded, and what they may set."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource as HydraFileSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from advlab.config.groups import CLUSTER
from advlab.config.typed_only import check_places, check_scheduler
from advlab.errors import ConfigError, one_line
from advlab.store.bounded import LARGEST_YAML, check_yaml, read_bounded

PROVIDER = "command-line"  # what Hydra calls the source of `--config-dir`

#: the keys of `hydra.launcher` that a YAML file may set, and of which of them the value is a word and no number
WORDS = frozenset(("partition", "account", "qos", "name"))
LAUNCHER_KEYS = WORDS | frozenset((
    "timeout_min", "cpus_per_task", "mem_gb", "gpus_per_node", "nodes", "tasks_per_node", "array_parallelism",
    "signal_delay_s", "max_num_timeout", "n_jobs",
))  # fmt: skip
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,@+-]*")  # stands in a line of a job's script, and must not end it

MOST_FILES = 1000  # loaded for one configuration: defaults lists may double in each other
MOST_INTERPOLATIONS = 12  # in one configuration: each may repeat the others, 3^(12/3) times what there is
LARGEST_INTERPOLATED = 1 << 15  # values and signs of a configuration that has any


class FileConfigSource(HydraFileSource):
    """Hydra's source of files, each of which is checked before OmegaConf expands it."""

    def load_config(self, config_path: str) -> ConfigResult:
        """See Hydra's.

        Raises:
            ConfigError: the file cannot be read, is no YAML, is too large, or would stand for one of Hydra's own.
        """
        name = self._normalize_file_name(config_path)
        path = Path(self.path) / name
        if ConfigStore.instance().get_type(name) is not ObjectType.NOT_FOUND:
            raise ConfigError(f"{path} has the name of a file of Hydra's own: give it another, or leave it out")
        try:
            text = read_bounded(path, LARGEST_YAML).decode("utf-8")
            check_yaml(text)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path}: {getattr(error, 'strerror', None) or error}: mend it, or leave it out"
            ) from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} does not parse: {one_line(error)}: mend it") from error
        if text.count("${") > MOST_INTERPOLATIONS:
            raise ConfigError(f"{path}: more than {MOST_INTERPOLATIONS} ${{...}}: write the values themselves")
        try:
            result: ConfigResult = super().load_config(config_path)
        except (OmegaConfBaseException, ValueError, yaml.YAMLError) as error:  # duplicate keys, dates, tags, odd ${...}
            raise ConfigError(f"{path} does not parse: {one_line(error)}: mend it") from error
        content = OmegaConf.to_container(result.config, resolve=False)
        if isinstance(
            content, dict
        ):  # here as it stands, which Hydra may stumble over; below where its package puts it
            check_content(str(path), content)
        return result

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """See Hydra's.

        Raises:
            ConfigError: the folder cannot be read.
        """
        try:
            return super().list(config_path, results_filter)
        except OSError as error:
            raise ConfigError(f"{Path(self.path) / config_path} could not be read ({error.strerror})") from error


def bound_files() -> None:
    """Let Hydra read files in this process by the source above; its own, of the same name, is then not registered."""
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader of configurations, which refuses what a file of the folder must not set."""

    def _parse_overrides_and_create_caching_repo(self, config_name: str | None, overrides: list[str]) -> Any:
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        load, count = repository.load_config, itertools.count(1)

        def load_counted(config_path: str) -> ConfigResult | None:
            if next(count) > MOST_FILES:
                raise ConfigError(f"{config_path}: the defaults lists name more than {MOST_FILES} files: shorten them")
            return load(config_path)

        setattr(repository, "load_config", load_counted)  # noqa: B010  # mypy: no method may be assigned to
        return parsed, repository

    def _load_single_config(self, default: Any, repo: Any) -> ConfigResult:
        result: ConfigResult = super()._load_single_config(default, repo)
        if result.provider == PROVIDER and OmegaConf.is_dict(result.config):
            content = OmegaConf.to_container(result.config, resolve=False)
            assert isinstance(content, dict)
            check_content(f"{default.config_path}.yaml", content)
        return result


def check_content(file: str, content: Mapping[Any, Any]) -> None:
    """Refuse a file of the folder that sets another key of Hydra than a launcher's few, or where files are written.

    Args:
        file: its name, for the message.
        content: where it lies in the whole configuration.

    Raises:
        ConfigError: names file and key.
    """
    if "hydra" in content:
        for keys, value in leaves(content["hydra"]):
            check_hydra_value(file, keys, value)
    if isinstance(run := content.get("run"), Mapping):
        check_places(f"{file} sets", run)
    if isinstance(cluster := content.get(CLUSTER), Mapping):
        check_scheduler(f"{file} sets", cluster)


def leaves(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys of every value in nested mappings, an empty mapping among them, with the value."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from leaves(part, (*keys, str(key)))
    elif keys or value != {}:
        yield keys, value


def check_hydra_value(file: str, keys: tuple[str, ...], value: Any) -> None:
    """Refuse one value below `hydra` of a file of the folder.

    Raises:
        ConfigError: the key is none of the launcher's, or the value none that a job's script may hold.
    """
    name = ".".join(("hydra", *keys))
    if len(keys) != 2 or keys[0] != "launcher" or keys[1] not in LAUNCHER_KEYS:
        raise ConfigError(
            f"{file} sets {name}: a YAML file must not, it could run code or write elsewhere. Leave it out. Of hydra it may "
            f"set hydra.launcher.KEY alone: {', '.join(sorted(LAUNCHER_KEYS))}"
        )
    if keys[1] in WORDS:
        fits = value is None or (isinstance(value, str | int) and WORD.fullmatch(str(value)) is not None)
    else:
        fits = value is None or (isinstance(value, int) and not isinstance(value, bool))
    if not fits:
        wanted = "a word of letters, digits and _ . , @ + -" if keys[1] in WORDS else "a whole number"
        raise ConfigError(f"{file} sets {name}={str(value)[:80]!r}: expected {wanted}")


def check_interpolations(content: Any) -> None:
    """Refuse a configuration whose `${...}` could repeat each other beyond measure, before they are resolved.

    Raises:
        ConfigError: there are too many, or the configuration is too large to have any.
    """
    count, size = 0, 0
    for _, value in leaves_of_lists(content):
        text = value if isinstance(value, str) else ""
        count, size = count + text.count("${"), size + 1 + len(text)
    if count > MOST_INTERPOLATIONS or (count and size > LARGEST_INTERPOLATED):
        raise ConfigError(f"the configuration has {count} ${{...}} in {size:,} signs: write the values themselves")


def leaves_of_lists(content: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """As `leaves`, also below lists."""
    for keys, value in leaves(content):
        if isinstance(value, list):
            for number, part in enumerate(value):
                yield from ((keys + inner, v) for inner, v in leaves_of_lists({str(number): part}))
        else:
            yield keys, value


def checked_folder(folder: str | None) -> str | None:
    """The folder of `--config-dir`.

    Raises:
        ConfigError: there is no such folder, or it cannot be read.
    """
    if folder is None:
        return None
    if not folder or not os.path.isdir(folder):  # false also for what is no name of a folder at all
        raise ConfigError(f"--config-dir {folder[:200]}: there is no such folder: name one that holds GROUP/NAME.yaml")
    try:
        os.listdir(folder)
    except OSError as error:
        raise ConfigError(f"--config-dir {folder}: it could not be read ({error.strerror})") from error
    return folder
