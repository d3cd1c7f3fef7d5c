"""The groups of a configuration: the one place that names them. Imports nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """A group of choices, such as `attack` of `attack=fgs`.

    Attributes:
        name: as it is typed.
        plural: as `advlab list` takes it.
        package: whose files declare its components.
        files: patterns of those files below the package; none of them needs torch to be imported.
        is_measured: whether its component is part of what is measured: of the digest, and of what a run archives.
    """

    name: str
    plural: str
    package: str = ""
    files: str = ""
    is_measured: bool = True


#: in the order in which settings build them: presets, which may look at dataset and model, are applied before `recipe`
COMPONENT_GROUPS = (
    Group("dataset", "datasets", "advlab.data", "*.py"),
    Group("model", "models", "advlab.models", "builtin.py *_networks.py"),
    Group("recipe", "recipes"),
    Group("defense", "defenses", "advlab.defenses", "*.py"),
    Group("attack", "attacks", "advlab.attacks", "**/params.py"),
    Group("probe", "probes", "advlab.probes", "*.py"),
    Group("experiment", "experiments", "advlab.experiments", "*/*.py"),
    Group("cluster", "clusters", "advlab.cluster", "*.py", is_measured=False),
)
CLUSTER = "cluster"  # who carries a run out: any experiment may be
RUN = "run"  # how a run is carried out: the one group without choices
GROUPS = (*(group.name for group in COMPONENT_GROUPS), RUN)
