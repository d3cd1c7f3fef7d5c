"""Options of a call as the words of a command line, so that both are checked alike and give the same messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from advlab.config.components import REGISTRIES
from advlab.config.groups import CLUSTER, GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.config.typed_values import text_of_value
from advlab.errors import ConfigError, is_weights_file, suggest


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
            where = " or ".join(mappings_with(name, value, options))
            meant = f"It is a key of a component: type {where}" if where else suggest(name, [*GROUPS, *of_run])
            raise ConfigError(f"{name}: there is no such option. {meant}")
        elif isinstance(value, Mapping):
            keys = dict(value)
            if "name" in keys:
                words.append(f"{name}={choice_text(name, keys.pop('name'))}")
            words += [f"{name}.{key}={text_of_value(f'{name}.{key}', part)}" for key, part in keys.items()]
        else:
            words.append(f"{name}={choice_text(name, value)}")
    return words


def mappings_with(key: str, value: Any, options: Mapping[str, Any]) -> list[str]:
    """The options that take a key which was given for itself: of what the call chooses, otherwise of anything.

    >>> mappings_with("samples", 10, {"experiment": "isotropy"})
    ["probe={'samples': 10}"]
    >>> mappings_with("epsilon", 0.03, {"experiment": "isotropy", "attack": "fgs"})
    ["attack={'name': 'fgs', 'epsilon': 0.03}"]
    """
    from advlab.config.choices import default_choice, registered_name  # loads Hydra

    experiment = chosen_name(options.get("experiment")) or ""
    found, elsewhere = [], []
    for group in (group for group in GROUPS if group not in (RUN, CLUSTER)):
        default = default_choice("experiment", experiment, group)
        chosen = chosen_name(options.get(group)) or default
        given = isinstance(options.get(group), str) and chosen != default
        names = {registered_name(group, chosen)} & set(REGISTRIES[group].names()) if chosen else set()
        if any(key in keys_of(group, name) for name in names):
            mapping = {"name": chosen, key: value} if given or group == "experiment" else {key: value}
            found.append(f"{group}={mapping!r}")
        elif any(key in keys_of(group, name) for name in REGISTRIES[group].names()):
            elsewhere.append(f"{group}={{'name': NAME, {key!r}: {value!r}}}")
    return found or elsewhere


def chosen_name(option: Any) -> str:
    """The choice that an option of a call names; empty where it names none."""
    name = option.get("name") if isinstance(option, Mapping) else option
    return name if isinstance(name, str) else ""


def keys_of(group: str, name: str) -> Set[str]:
    """The keys that a component takes."""
    component: Any = REGISTRIES[group].load(name)
    return parameters(component.Params if group == "experiment" else component).keys()


def choice_text(group: str, value: Any) -> str:
    """A choice of a group, or a list of defenses.

    Raises:
        ConfigError: the value is no name; it may be a file of weights.
    """
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(part, str) for part in value):
        return f"[{','.join(value)}]"
    if group == "model" and is_weights_file(value):
        raise ConfigError(
            f"model={value!r} is a file of weights: name its network, too: model={{'name': NAME, 'checkpoint': {value!r}}}"
        )
    if not isinstance(value, str):
        raise ConfigError(
            f"{group}={value!r}: expected a name, or a mapping such as {{'name': NAME, KEY: VALUE}} ({type(value).__name__})"
        )
    return value
