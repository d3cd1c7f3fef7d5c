"""The decorator `advlab.experiment`: a user's class becomes a choice of `experiment=`."""

from __future__ import annotations

import dataclasses

from advlab.config import components
from advlab.errors import ConfigError, suggest
from advlab.plugins.names import check_name, registered_choices
from advlab.store.tables import column_types


def experiment(cls: type) -> type:
    """Class decorator: register an `advlab.lab.Experiment` under its `name`.

    Raises:
        ConfigError: something that an experiment declares is missing.
    """
    from advlab.lab.experiment import Experiment  # loads numpy, which `advlab help` and errors need not wait for

    if not (isinstance(cls, type) and issubclass(cls, Experiment)):
        raise ConfigError(f"the experiment {cls!r} must be a class that derives from advlab.lab.Experiment")
    name = getattr(cls, "name", "")
    if not name:
        raise ConfigError(f"the experiment class {cls.__name__} needs a class attribute `name`")
    check_name("experiment", name, cls)
    methods = set(getattr(cls, "__abstractmethods__", ()))
    if cls.measure is Experiment.measure and cls.measurement_name() is None:
        methods.add("measure")
    missing = sorted(methods)
    missing += [attribute for attribute in ("paper", "title", "Params", "Row") if not hasattr(cls, attribute)]
    if missing:
        raise ConfigError(f"the experiment {name} lacks {', '.join(missing)}: see advlab.lab.Experiment")
    for attribute in ("Params", "Row"):
        if not dataclasses.is_dataclass(getattr(cls, attribute)):
            raise ConfigError(f"the experiment {name}: {attribute} must be a dataclass")
    try:
        column_types(cls.Row)
    except (TypeError, NameError) as error:
        raise ConfigError(f"the experiment {name}: {error}") from error
    for group in cls.uses:
        if group not in components.REGISTRIES:
            raise ConfigError(f"the experiment {name} uses {group!r}. {suggest(group, components.REGISTRIES)}")
    components.REGISTRIES["experiment"].add(name, cls)
    registered_choices["experiment", name] = ({"experiment": {"name": name}}, "_global_")
    return cls
