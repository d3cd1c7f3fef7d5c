"""What every experiment is handed: its settings and lists of components, the artifacts, stages, progress and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from advlab.config.identity import component_key, is_component
from advlab.config.settings import Settings
from advlab.errors import ConfigError
from advlab.lab.cells import Stage
from advlab.store.artifacts import Artifact, ArtifactStore
from advlab.store.names import safe_name
from advlab.store.sealed import canonical


@dataclass
class ComputeCounts:
    """What a run has computed besides the forwards of its own network; passes are counted in images.

    Attributes:
        forwards: images that went through a network.
        backwards: images whose gradients were taken.
        images: images that were attacked.
        seconds: time of the attacks.
        facts: what an attack on the whole set says of itself, such as rates on held-out images.
    """

    forwards: int = 0
    backwards: int = 0
    images: int = 0
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class RunContext:
    """One run's settings and what it shares with others; experiments that need numpy alone are handed this.

    Attributes:
        settings: the checked configuration; `settings.probe`, `settings.attack` and so on are the parameters.
        artifacts: the cache of what is expensive.
        report_progress: tells the user how far a task has come, as (title, steps done, steps in all).
        prepared: what the experiment's `prepare` returned, from the plan when the run is resumed.
        counts: what was computed, for the manifest.
        facts: what the manifest says about device, data, weights and accuracy.
        stages: the experiment's stages by their ids, once they are planned.
        held: artifacts of the stages that the unit under way needs.
        unsaved: artifacts of stages that the cache could not keep.
        files: name -> content of the files that the unit under way keeps in the run directory.
    """

    settings: Settings
    artifacts: ArtifactStore
    report_progress: Callable[[str, int, int], None]
    prepared: dict[str, Any] = field(default_factory=dict)
    counts: ComputeCounts = field(default_factory=ComputeCounts)
    facts: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    held: dict[str, Artifact] = field(default_factory=dict)
    unsaved: dict[str, Artifact] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def keep_file(self, name: str, content: bytes) -> None:
        """Keep a file in the folder `files` of the run directory; it is written with the cell's rows, and checked with them.

        Args:
            name: letters, digits, `.`, `_` and `-` alone; no other cell's file may bear it.
            content: of the file.

        Raises:
            ValueError: the name has other characters, or begins with a dot.
        """
        if safe_name(name) != name:
            raise ValueError(f"{name!r} is no name of a kept file: letters, digits, '.', '_' and '-' make one")
        self.files[name] = content

    def count(self, *, forwards: int = 0, backwards: int = 0, images: int = 0, seconds: float = 0.0) -> None:
        """Add to what the manifest says was computed; what goes through the run's own `forward` is counted there."""
        self.counts.forwards += forwards
        self.counts.backwards += backwards
        self.counts.images += images
        self.counts.seconds += seconds

    def listed(self, parameter: str) -> dict[str, Any]:
        """Name -> component, of a parameter of the experiment that names choices (`ChoicesOf`); `none` is a `NoComponent`.

        Raises:
            KeyError: the experiment has no such parameter.
        """
        return {name: listed.component for name, listed in self.settings.lists[parameter].items()}

    def key(self, **fields: Any) -> dict[str, Any]:
        """The key of an artifact from its fields; contexts of data and networks add their digests.

        What else determines the artifact must be among the fields: parameters, the samples, the run's seed where it draws,
        and a `version` of the algorithm. A component among them stands for its parameters.

        Raises:
            TypeError: a field is no plain JSON, such as a tensor.
        """
        key = {name: key_value(value) for name, value in fields.items()}
        for name, value in key.items():
            try:
                canonical(value)
            except TypeError as error:
                raise TypeError(
                    f"the field {name!r} of a key must be plain JSON (of a tensor .tolist()): {error}"
                ) from error
        return key

    def stage(self, stage_id: str) -> Artifact:
        """What a stage has made: its arrays and facts.

        Raises:
            LookupError: the cell or stage that asks does not name this stage among those that it needs.
        """
        if stage_id not in self.held:
            raise LookupError(
                f"the stage {stage_id!r} is not among those that this cell or stage needs ({', '.join(self.held) or 'none'}): name "
                "it in `stages=` of the cell or the stage"
            )
        return self.held[stage_id]

    def argument_error(self, error: Exception) -> ConfigError:
        """A refused argument as an error of the configuration, with the option that names the attack."""
        name = self.settings.choice_name("attack")
        return ConfigError(f"attack={name}: {error}" if name != "none" else str(error))


def joined(fields: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a key and those that a context adds.

    Raises:
        ValueError: a field has the name of one that the context adds.
    """
    for name in fields:
        if name in own:
            raise ValueError(f"a key has a field {name!r} of its own here: give yours another name, or see `key`")
    return {**fields, **own}


def key_value(value: Any) -> Any:
    """A value as keys hold it: a component by its class and the parameters that do not stand at their defaults.

    >>> from advlab.attacks import DeepFool
    >>> key_value({"attack": DeepFool(max_iter=7), "radii": (1, 2)})
    {'attack': {'class': 'DeepFool', 'max_iter': 7}, 'radii': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(name): key_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [key_value(inner) for inner in value]
    return component_key(value) if is_component(value) else value
