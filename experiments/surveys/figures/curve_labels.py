"""Labels of the curves of several surveys, by the labels of their runs, and what all runs have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass

RUN = re.compile(
    r"(?:(?P<attack>[^:]+): )?(?P<model>.+?)(?: with (?P<defense>.+?))?(?: on (?P<dataset>.+?))?"
    r"(?:, (?P<options>.*?))?(?P<version> \([^()=]*\))?"
)


@dataclass(frozen=True)
class Run:
    """A run's label by its parts, each empty where it has none: `hc: lenet with blur on digits, seed=0 (v001)`."""

    attack: str
    model: str
    defense: str
    dataset: str
    options: str
    version: str


def curve_labels(keys: list[tuple[str, str]]) -> tuple[list[str], str]:
    """A label for each (run, attack), and the model, defense and dataset that all have in common.

    The attack is called as the run's label calls it. What its hyperparameters are is said of a single curve, and where the
    run's label does not name the attack; an option of it is named once.
    """
    runs = [run_of(run) for run, _ in keys]
    same = {part for part in ("model", "defense", "dataset") if len({getattr(run, part) for run in runs}) == 1}
    labels = []
    for run, (_, attack) in zip(runs, keys, strict=True):
        hyperparameters = attack.partition(" ")[2] if len(runs) == 1 else ""
        name = f"{run.attack} {hyperparameters}".rstrip() if run.attack else attack
        said = re.split(r"[(), ]+", name)
        options = [word for word in run.options.split(", ") if word and word not in said]
        labels.append(in_words(name, run, {"model", "defense", "dataset"} - same, options) + run.version)
    return labels, in_words("", runs[0], same, []) if runs else ""


def run_of(label: str) -> Run:
    """The parts of a run's label."""
    match = RUN.fullmatch(label)
    return Run(**match.groupdict("")) if match else Run("", label, "", "", "", "")


def in_words(attack: str, run: Run, parts: set[str], options: list[str]) -> str:
    """`hc, lenet with blur on digits, seed=0`, of model, defense and dataset the parts that are asked for."""
    model, dataset = (getattr(run, part) if part in parts else "" for part in ("model", "dataset"))
    network = f"{attack}, {model}" if attack and model else attack or model
    if run.defense and "defense" in parts:
        network = f"{network} with {run.defense}".lstrip()
    if dataset:
        network = f"{network} on {dataset}" if network else dataset
    return ", ".join([network, *options])
