"""The values of a command's options that are names of something, which its parser does not list: for the completion."""

from __future__ import annotations

import re
from typing import get_args

from advlab.config.choices import group_choices
from advlab.config.folder import package_folder
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters


def option_values(option: str) -> list[str]:
    """What may stand behind `--experiment`, `--preset`, `--paper`, and an export's `--format` and `--table`; else empty.

    >>> option_values("paper")
    ['aghdam2017', 'barati2021', 'gunther2017', 'jetley2018']
    """
    if option == "experiment":
        return group_choices("experiment")
    if option == "preset":
        return list(get_args(parameters(RunParams)["preset"].annotation))
    if option == "paper":
        package = next(group.package for group in COMPONENT_GROUPS if group.name == "experiment")
        folders = (path.name for path in package_folder(package).iterdir() if path.is_dir())
        return sorted(name for name in folders if re.fullmatch(r"[a-z]+\d{4}", name))
    if option in ("format", "table"):
        from advlab.results.export.export import FORMATS, TABLES  # which other words need not wait for

        return list(FORMATS if option == "format" else TABLES)
    return []
