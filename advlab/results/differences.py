"""What several runs differ in, and labels that name it: no two alike, and no longer than that needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from advlab.store.names import components_in_words, named_components, run_label

Nodes = Mapping[str, Mapping[str, Any]]
SEED = "run.seed"

#: options of `run` that say where files lie and how a run is started, and nothing about it
ABOUT_THE_START = frozenset(
    (
        "dry",
        "resume",
        "download",
        "checkpoint_seconds",
        "image_memory",
        "escape_csv",
        "figure",
        "data_root",
        "cache_root",
        "output_root",
    )
)

#: group -> what brings its options along: where runs differ in one of these, a difference in the options follows from it
BROUGHT_BY = {
    "model": ("model", "dataset"),
    "dataset": ("model", "dataset"),
    "recipe": ("model", "dataset", "recipe", "run.preset"),
    "attack": ("attack", "run.preset"),
    "defense": ("defense", "run.preset"),
    "probe": ("probe", "run.preset"),
    "experiment": ("run.preset",),
    "run": (),
}


class Differences:
    """What some runs differ in.

    An option of which the cause is named already is not named: that `lenet` and `mlp` are trained by different recipes
    follows from the model. An option that a run does not have, because it is older, is no difference.

    Args:
        nodes: the configurations of the runs, each one mapping a group.
        without: dotted keys that are not looked at.
    """

    def __init__(self, nodes: Sequence[Nodes], without: Iterable[str] = ()) -> None:
        self.nodes = nodes
        self.choices = [_choices(node) for node in nodes]
        keys = [key for key in dict.fromkeys(key for chosen in self.choices for key in chosen) if key not in without]
        self._named = {key: self._runs_that_differ(key) for key in keys}
        #: the dotted keys that differ, as they are typed: `attack`, `attack.steps`, `run.seed`
        self.keys = [key for key, runs in self._named.items() if runs]

    def _runs_that_differ(self, key: str) -> set[int]:
        """The runs among whose like (nothing that brings the key along differs) it has several values."""
        alike: dict[tuple[str | None, ...], list[int]] = {}
        for run, chosen in enumerate(self.choices):
            if key in chosen:
                alike.setdefault(tuple(chosen.get(cause) for cause in _causes(key)), []).append(run)
        several = (runs for runs in alike.values() if len({self.choices[run][key] for run in runs}) > 1)
        return {run for runs in several for run in runs}

    def values(self, run: int) -> dict[str, str]:
        """Dotted key -> value of a run, of everything that differs; empty text where it has no such option."""
        return {key: self.choices[run].get(key, "") for key in self.keys}

    def labels(self, *, whole: bool = False) -> list[str]:
        """A label for each run; only runs without any difference share one.

        Runs that differ in nothing but model, dataset, attack, defense and directions have their own labels
        (`fgs: lenet on digits`). Otherwise what all have in common is left out, but for the model: `lenet, steps=5`.

        Args:
            whole: nothing is left out: `lenet on digits, steps=5`.
        """
        components = [named_components(node) for node in self.nodes]
        options = [key for key in self.keys if key not in components[0]]
        if not options:
            return [run_label(node) for node in self.nodes]
        options.sort(key=lambda key: (key == SEED, key == "run.preset"))  # these last
        names = _short_keys(options)
        texts = {key: _short_values([chosen[key] for chosen in self.choices if key in chosen]) for key in options}
        labels = []
        for run, component in enumerate(components):
            network = "dataset" if component["model"] == "none" else "model"
            said = {key: name for key, name in component.items() if whole or key in self.keys or key == network}
            values = [
                f"{names[key]}={texts[key][self.choices[run][key]]}" for key in options if run in self._named[key]
            ]
            label = ", ".join(word for word in (components_in_words(said), *values) if word)
            labels.append(label or run_label(self.nodes[run]))
        return labels


def unique_labels(labels: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """The labels, with the version behind those that occur more than once, or the path where that does not tell them."""
    names = [
        f"{label} ({path.resolve().name})" if labels.count(label) > 1 else label
        for label, path in zip(labels, paths, strict=True)
    ]
    return [
        f"{label} ({path})" if names.count(name) > 1 else name
        for label, name, path in zip(labels, names, paths, strict=True)
    ]


def _choices(nodes: Nodes) -> dict[str, str]:
    """Dotted key -> text of everything that a configuration chooses, the components first."""
    chosen = named_components(nodes)
    for group in BROUGHT_BY:
        for key, value in _flat(group, nodes.get(group, {})).items():
            if key.endswith(".name") and key.count(".") == 1:
                chosen.setdefault(group, value)
            elif key != "dataset.label" and not (group == "run" and key[4:] in ABOUT_THE_START):
                chosen.setdefault(key, value)
    return chosen


def _flat(key: str, value: Any) -> dict[str, str]:
    """Dotted key -> text of a value and all that it holds; the parts of a list of mappings by their position."""
    if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        return {k: text for name, part in value.items() for k, text in _flat(f"{key}.{name}", part).items()}
    if isinstance(value, str):
        return {key: value or "''"}
    return {key: json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)}


def _causes(key: str) -> tuple[str, ...]:
    """The keys that bring a key along."""
    if key in ("model", "dataset", "attack", "defense"):
        return ()
    if key == "run.accuracy_images":
        return ("run.preset",)
    return tuple(cause for cause in BROUGHT_BY[key.partition(".")[0]] if cause != key)


def _short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Key -> the last part of it where no other key ends so, else the whole."""
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def _short_values(values: Sequence[str]) -> dict[str, str]:
    """Value -> itself, or of paths the last parts where these tell them apart."""
    ends = {value: value.rstrip("/").rpartition("/")[2] or value for value in values}
    return ends if len(set(ends.values())) == len(ends) else {value: value for value in values}
