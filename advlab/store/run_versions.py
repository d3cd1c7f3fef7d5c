"""The numbered versions v001, v002, ... of one configuration's runs, side by side in one folder."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advlab.errors import ConfigError, ResultError
from advlab.store.atomic import StorageError, sync_folder
from advlab.store.names import component_label, safe_name

VERSION = re.compile(r"v(\d{3,})\Z")


def versions_folder(output_root: Path, nodes: Mapping[str, Mapping[str, Any]]) -> Path:
    """`<output_root>/<experiment>/<dataset>-<model>[-<attack>][-<defense>]`; a group that is `none` drops out.

    Args:
        output_root: `run.output_root`.
        nodes: the configuration, one mapping a group.
    """
    network = [component_label(nodes, group) for group in ("dataset", "model")]
    against = [component_label(nodes, group) for group in ("attack", "defense")]
    names = [safe_name("-".join(name for name in network if name != "none"))] if set(network) != {"none"} else []
    names += ["+".join(map(safe_name, name.split("+")))[:80] for name in against if name != "none"]
    folder = output_root / safe_name(str(nodes["experiment"]["name"]))
    return folder / "-".join(names) if names else folder


def former_versions_folder(output_root: Path, nodes: Mapping[str, Mapping[str, Any]]) -> Path:
    """`<output_root>/<experiment>/<dataset>-<model>`, where version 0.1 put the runs of every attack."""
    return versions_folder(output_root, {group: nodes[group] for group in ("experiment", "dataset", "model")})


def check_place(root: Path, key: str = "run.output_root") -> None:
    """Refuse a root in which no folder can be made; nothing of it is made, or stays.

    Args:
        root: a folder that need not be there.
        key: that names it.

    Raises:
        ConfigError: it is no folder, or not the user's to write to.
        StorageError: its disk is full or read-only.
    """
    place = next(folder for folder in (root, *root.parents) if os.path.lexists(folder))
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".advlab-", dir=place))
    except OSError as error:
        wrong_place = error.errno in (errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ELOOP)
        fault = f"no folder can be made in {place} ({error.strerror or error}): name another place by {key}=..."
        raise (ConfigError if wrong_place else StorageError)(f"{key}={root}: {fault}") from error


def existing_versions(folder: Path) -> list[Path]:
    """The versions in a folder, oldest first; none where there is no folder.

    Raises:
        ResultError: the folder cannot be read.
    """
    numbered = []
    try:
        for path in folder.iterdir():
            match = VERSION.match(path.name)
            if match and path.is_dir():
                numbered.append((int(match[1]), path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise ResultError(
            f"{str(folder)[:200]!r} could not be read ({getattr(error, 'strerror', None) or error}): name another place by "
            "run.output_root=..."
        ) from error
    return [path for _, path in sorted(numbered)]


def make_next_version(folder: Path) -> Path:
    """Make the next version's directory, atomically: two processes never share one.

    Raises:
        StorageError: the file system refuses.
    """
    existing = existing_versions(folder)
    number = int(existing[-1].name[1:]) + 1 if existing else 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = folder / f"v{number:03d}"
            try:
                path.mkdir(exist_ok=False)
            except FileExistsError:  # another process was faster
                number += 1
                continue
            sync_folder(folder)
            return path
    except (OSError, ValueError) as error:  # ValueError: a name that holds a zero byte
        raise StorageError(
            f"{folder} could not be made ({getattr(error, 'strerror', None) or error}): name another place by run.output_root=...",
            error,
        ) from error
