"""The numbered versions v001, v002, ... of one configuration's runs, side by side in one folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from advlab.store.atomic import StorageError, sync_folder
from advlab.store.names import safe_name

VERSION = re.compile(r"v(\d{3,})\Z")


def versions_folder(output_root: Path, nodes: Mapping[str, Mapping[str, object]]) -> Path:
    """`<output_root>/<experiment>/<dataset>-<model>`; a group that is `none` drops out.

    Args:
        output_root: `run.output_root`.
        nodes: the configuration, one mapping a group.
    """
    names = [str(nodes[group]["name"]) for group in ("dataset", "model") if nodes[group]["name"] != "none"]
    label = nodes["dataset"].get("label", "")
    if label:
        names[0] = str(label)
    folder = output_root / safe_name(str(nodes["experiment"]["name"]))
    return folder / safe_name("-".join(names)) if names else folder


def existing_versions(folder: Path) -> list[Path]:
    """The versions in a folder, oldest first; none where there is no folder."""
    numbered = []
    if folder.is_dir():
        for path in folder.iterdir():
            match = VERSION.match(path.name)
            if match and path.is_dir():
                numbered.append((int(match[1]), path))
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
    except OSError as error:
        raise StorageError(
            f"{folder} could not be made ({error.strerror or error}): name another place by run.output_root=..."
        ) from error
