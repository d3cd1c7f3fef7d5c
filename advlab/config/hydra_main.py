"""Hydra's main function, called on a command line that was checked before: sweeps, and what Hydra shows."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hydra
from hydra.errors import HydraException

from advlab.config.compose import CONFIGS
from advlab.config.config_folder import bound_files
from advlab.config.overrides import accept_unknown_keys
from advlab.errors import ConfigError, one_line


@dataclass(frozen=True)
class CommandLine:
    """A parsed command line: Hydra's flags, and the overrides."""

    flags: argparse.Namespace
    overrides: list[str]


def hydra_main(line: CommandLine, task: Callable[[Any], Any]) -> int:
    """Call Hydra's main function over the packaged YAML files; gives the exit code.

    Args:
        line: what a user typed, checked by a `Composer` where it has overrides.
        task: called with the configuration of each job.

    Raises:
        ConfigError: Hydra refuses the command line.
    """
    bound_files()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us; what a user sees is decided in cli.main.run
    flags = line.flags
    arguments = [
        *(["--hydra-help"] if flags.hydra_help else []),
        *(["--multirun"] if flags.multirun else []), *(["--resolve"] if flags.resolve else []),
        *(["--cfg", flags.cfg] if flags.cfg else []), *(["--package", flags.package] if flags.package else []),
        *(["--info", flags.info] if flags.info else []),
        *(["--config-dir", flags.config_dir] if flags.config_dir else []),
    ]  # fmt: skip
    before = sys.argv
    sys.argv = ["advlab", *arguments, *accept_unknown_keys(line.overrides)]
    try:
        hydra.main(version_base="1.3", config_path=CONFIGS, config_name="config")(task)()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if isinstance(error, HydraException) or (isinstance(error, ValueError) and not flags.multirun):
            raise ConfigError(hydra_fault(one_line(error))) from error
        raise
    finally:
        sys.argv = before
    return 0


def hydra_fault(text: str) -> str:
    r"""Hydra's message, or which key its launcher or sweeper does not take.

    >>> hydra_fault("Error in call to target 'a.B': TypeError(\"got an unexpected keyword argument 'x'\") full_key: hydra.launcher")
    'hydra.launcher.x: there is no such key: leave it out'
    """
    found = re.search(r"unexpected keyword argument '(\w+)'.*full_key: ([\w.]+)", text)
    return f"{found[2]}.{found[1]}: there is no such key: leave it out" if found else text


def no_task(config: Any) -> None:
    """The task of a command line that only shows something: Hydra asks for one, and does not call it."""
