"""Options of a call as the words of a command line, so that both are checked alike and give the same messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advlab.config.groups import GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.errors import ConfigError, suggest
from advlab.shell import hydra_text


def words_of(options: Mapping[str, Any]) -> list[str]:
    """`GROUP=CHOICE` and `GROUP.KEY=VALUE` of the options of a call.

    Args:
        options: for each group a choice (`attack="fgs"`, of defenses also a list), a mapping of its keys
            (`probe={"trials": 20}`; `name` among them is the choice), and any `run.KEY` by its own name (`seed=3`).

    Raises:
        ConfigError: an option that is neither; or a value that cannot be typed.

    >>> words_of({"attack": {"name": "fgs", "norm": "linf"}, "probe": {"radii": [0.1, 1]}, "seed": 3})
    ['attack=fgs', "attack.norm='linf'", 'probe.radii=[0.1,1]', 'run.seed=3']
    """
    of_run, words = parameters(RunParams), []
    for name, value in options.items():
        if name in of_run:
            words.append(f"{RUN}.{name}={text_of_value(f'run.{name}', value)}")
        elif name not in GROUPS:
            raise ConfigError(f"{name}: there is no such option. {suggest(name, [*GROUPS, *of_run, 'preset'])}")
        elif isinstance(value, Mapping):
            keys = dict(value)
            if "name" in keys:
                words.append(f"{name}={choice_text(name, keys.pop('name'))}")
            words += [f"{name}.{key}={text_of_value(f'{name}.{key}', part)}" for key, part in keys.items()]
        else:
            words.append(f"{name}={choice_text(name, value)}")
    return words


def choice_text(group: str, value: Any) -> str:
    """A choice of a group, or a list of defenses.

    Raises:
        ConfigError: the value is no name.
    """
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(part, str) for part in value):
        return f"[{','.join(value)}]"
    if not isinstance(value, str):
        raise ConfigError(
            f"{group}={value!r}: expected a name, or a mapping such as {{'name': NAME, KEY: VALUE}} ({type(value).__name__})"
        )
    return value


def text_of_value(key: str, value: Any) -> str:
    """A value as Hydra's grammar takes it for itself.

    Raises:
        ConfigError: it is none that a command line could hold.

    >>> text_of_value("x", True), text_of_value("x", [1, "a=b"]), text_of_value("x", None)
    ('true', "[1,'a=b']", 'null')
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a scalar of numpy or torch
        value = value.item()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        return hydra_text(str(value))
    if isinstance(value, Mapping):
        inner = (f"{hydra_text(str(name))}:{text_of_value(key, part)}" for name, part in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(text_of_value(key, part) for part in value) + "]"
    raise ConfigError(
        f"{key}: a {type(value).__name__} cannot be typed: give a number, a text, or a list or mapping of them"
    )
