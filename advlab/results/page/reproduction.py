"""The command line that makes a run again, from its configuration: composed and compared before it is shown."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advlab.config.choices import group_choices
from advlab.config.components import REGISTRIES
from advlab.config.compose import Composer
from advlab.config.groups import RUN
from advlab.config.identity import (
    Nodes,
    chain_members,
    component_class,
    component_versions,
    configuration_digest,
    default_parameters,
    same_value,
)
from advlab.config.settings import Settings
from advlab.config.typed_values import text_of_value
from advlab.errors import AdvlabError, ConfigError
from advlab.results.differences import ABOUT_THE_START
from advlab.results.page.archived_command import is_from_python, plugins_in, typed_command
from advlab.shell import shell_word

GROUPS = ("model", "dataset", "recipe", "attack", "defense", "probe")
WITH_VALUE = re.compile(r"(?!(?:null|true|false|nan|inf)\Z)[A-Za-z][A-Za-z0-9_]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Reproduction:
    """How a run is made again.

    Attributes:
        command: to be typed; empty where none is known.
        checked: whether this version of advlab composes it to the run's own configuration.
        same: whether it also has the run's digest: all components have the versions that they had then.
        typed: the command line that was typed, where it is another: a sweep, say.
        from_python: whether a program called `advlab.run` with what no command line has.
    """

    command: str
    checked: bool = False
    same: bool = False
    typed: str = ""
    from_python: bool = False

    @property
    def sweep(self) -> bool:
        """Whether several runs were made by what was typed."""
        return self.typed.startswith("advlab -m ")


class RememberingComposer(Composer):
    """A composer that reads each name of a list of components once: the lists of many runs name the same."""

    def __init__(self) -> None:
        super().__init__(None)
        self._choices: dict[tuple[str, str], Nodes] = {}

    def choice(self, group: str, choice: str) -> Nodes:
        """The nodes that GROUP=CHOICE sets; see `Composer.choice` for what it raises."""
        if (group, choice) not in self._choices:
            self._choices[group, choice] = super().choice(group, choice)
        return copy.deepcopy(self._choices[group, choice])


class Reproductions:
    """Finds the commands of runs.

    Args:
        composer: an open one.
    """

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self._settled: dict[tuple[str, ...], Settings] = {}

    def of(self, nodes: Nodes, manifest: Mapping[str, Any]) -> Reproduction:
        """The command that makes a run again; the one that was typed where none can be composed from its configuration.

        Args:
            nodes: the configuration of the run.
            manifest: of the run.
        """
        typed = typed_command(manifest.get("command"))
        try:
            words = self._words(nodes)
            digest = self._settings(words).digest
            if digest == configuration_digest(nodes, component_versions(nodes)):
                command = " ".join(["advlab", *map(shell_word, [*plugins_in(manifest.get("command")), *words])])
                return Reproduction(command, True, digest == manifest.get("digest"), typed)
        except (AdvlabError, LookupError, TypeError, ValueError, AttributeError):
            pass  # a plug-in's, an older version's, or a stranger's configuration, of which anything may be missing
        return Reproduction(typed, from_python=is_from_python(manifest.get("command")))

    def _settings(self, words: Sequence[str]) -> Settings:
        if tuple(words) not in self._settled:
            self._settled[tuple(words)] = self.composer.settings(words)
        return self._settled[tuple(words)]

    def _words(self, nodes: Nodes) -> list[str]:
        """The choices and options in which a configuration differs from what `advlab experiment=NAME` is.

        Raises:
            AdvlabError: it cannot be composed: a choice is no YAML file's, or a plug-in's that is not loaded.
        """
        run, name = nodes.get(RUN, {}), str(nodes["experiment"]["name"])
        words = [f"experiment={known_choice('experiment', name)}"]
        preset = (
            [f"run.preset={typed_text('run.preset', run['preset'])}"] if run.get("preset", "paper") != "paper" else []
        )
        used = REGISTRIES["experiment"].load(name).groups()
        for group in (group for group in GROUPS if group in used):
            chosen = chosen_in(nodes, group)
            if self._chosen([*words, *preset], group) != chosen:
                words.append(f"{group}={choice_text(group, chosen)}")
        words += preset
        composed = self._nodes(words)
        for group in ("experiment", *used, RUN):
            words += options(group, nodes.get(group, {}), composed.get(group, {}))
        return words

    def _chosen(self, words: Sequence[str], group: str) -> str:
        """What a command line chooses in a group; also of one that is refused, because a choice or a key is not there yet."""
        try:
            return chosen_in(self._settings(words).nodes, group)
        except AdvlabError:
            return str(self.composer.compose(words)[1].get(group))

    def _nodes(self, words: Sequence[str]) -> Nodes:
        """The configuration of a command line; of one that is refused, what YAML files and defaults say."""
        try:
            return self._settings(words).nodes
        except AdvlabError:
            content, _ = self.composer.compose(words)
            return {group: with_defaults(group, node) for group, node in content.items()}


def chosen_in(nodes: Nodes, group: str) -> str:
    """What is typed for a group of a configuration: `hc` of `attack=hc`, `blur+noise` of `defense=[blur,noise]`."""
    node = nodes.get(group, {})
    members = chain_members(group, node) if "name" in node else []
    name = "+".join(str(member["name"]) for member in members) or node.get("name", "none")
    return str(nodes.get("choices", {}).get(group, name))


def options(group: str, node: Mapping[str, Any], composed: Mapping[str, Any]) -> list[str]:
    """`GROUP.KEY=VALUE` of each key that has another value in a run than in what was composed."""
    passed_over = {"name", "label", *(ABOUT_THE_START if group == RUN else ())}
    return [
        f"{group}.{key}={typed_text(f'{group}.{key}', value)}"
        for key, value in node.items()
        if key in composed and key not in passed_over and not same_value(value, composed[key])
    ]


def with_defaults(group: str, node: Any) -> dict[str, Any]:
    """The keys of a component with the defaults of those that no YAML file names."""
    known = isinstance(node, Mapping) and "name" in node
    return {**default_parameters(component_class(group, node)), **node} if known else dict(node or {})


def known_choice(group: str, choice: str) -> str:
    """A choice that is a YAML file or a loaded plug-in.

    Raises:
        ConfigError: it is none.
    """
    if choice not in group_choices(group):
        raise ConfigError(f"there is no {group} {choice[:80]!r}")
    return choice


def choice_text(group: str, choice: str) -> str:
    """A choice as it is typed: `blur`, of a chain of defenses `[blur,noise]`."""
    parts = choice.split("+") if group == "defense" else [choice]
    names = [known_choice(group, part) for part in parts]
    return names[0] if len(names) == 1 else f"[{','.join(names)}]"


def typed_text(key: str, value: Any) -> str:
    """A value as a user types it: a plain word without quotation marks, also within a list.

    >>> typed_text("x", "margin"), typed_text("x", ["none", "hard"]), typed_text("x", "null"), typed_text("x", 0.5)
    ('margin', '[none,hard]', "'null'", '0.5')
    """
    if isinstance(value, str) and WITH_VALUE.fullmatch(value):
        return value
    if isinstance(value, list):
        return f"[{','.join(typed_text(key, part) for part in value)}]"
    return text_of_value(key, value)
