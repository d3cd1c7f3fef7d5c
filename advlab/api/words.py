"""Options of a call as the words of a command line, so that both are checked alike and give the same messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advlab.config.groups import GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.config.typed_values import text_of_value
from advlab.errors import ConfigError, suggest


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
