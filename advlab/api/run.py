"""`advlab.run` and `advlab.sweep`: a run from Python, with the checks, the files and the messages of the command line."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advlab.api.objects import Shape, dataset_choice, is_module, is_named, is_state, model_choice
from advlab.api.told import told_shortly
from advlab.api.words import words_of
from advlab.errors import ConfigError, Interrupted
from advlab.models.plugin_model import no_network
from advlab.results.load import Run, load
from advlab.store.tables import Frame


@told_shortly
def run(
    experiment: str | Mapping[str, Any] = "isotropy",
    *,
    model: Any = None,
    dataset: Any = None,
    preset: str | None = None,
    input_shape: Shape | None = None,
    model_name: str = "",
    dataset_name: str = "",
    allow: Sequence[str] = (),
    **options: Any,
) -> Run:
    """Carry out one run, as `advlab experiment=... model=...` does, and read it.

    Args:
        experiment: its name, or its keys: {"name": "isotropy", "floor_factor": 5}.
        model: a name, keys, or a `torch.nn.Module` from images in [0, 1] to logits, which is measured as it is.
        dataset: a name, keys, (images, labels), (images, labels, class names), a torch `Dataset` of (image, label), or those by
            split, {"train": ..., "test": ...}. Images (N, H, W), (N, H, W, C) or (N, C, H, W) are uint8, or floats in [0, 1],
            which are not rounded.
        preset: `tiny`, `laptop` or `paper`.
        input_shape: (C, H, W) of a module's images, where the dataset does not tell.
        model_name: what a module is called in labels and paths; otherwise by its class. Modules of one name are told apart by
            their weights.
        dataset_name: what images of the session are called there; otherwise by their class, or `arrays`.
        allow: faults of the network with which it is measured nonetheless (`model.allow`), as the message that refuses it has
            them.
        options: the other groups (`attack="fgs"`, `probe={"trials": 20}`, `defense=["blur", "noise"]`) and options of the
            run by their names (`seed=3`, `device="cpu"`, `output_root="results"`, `resume=True`, `workers=4`).

    Returns:
        The finished run: table, claims, summary, figures, path; a notebook shows it. Ctrl-C leaves a run that the same call with
        `resume=True` goes on with.

    Raises:
        ConfigError: as on the command line.
        KeyboardInterrupt: Ctrl-C; what was measured is kept.
    """
    words = session_words(experiment, model, dataset, preset, input_shape, options, model_name, dataset_name, allow)
    return carry_out(words)


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep.

    Attributes:
        runs: in order.
        table: a line for each number and claim, with what differs, means over seeds (the sweep.csv of the command line).
    """

    runs: list[Run]
    table: Frame


@told_shortly
def sweep(over: Mapping[str, Sequence[Any]], experiment: str | Mapping[str, Any] = "isotropy", **options: Any) -> Sweep:
    """Carry out a run for each combination of some options, as `advlab -m` does, and compare them.

    Args:
        over: option -> its values: {"model": ["lenet", "mlp"], "seed": [0, 1, 2], "probe.trials": [10, 100]}.
        experiment: its name, or its keys, unless it is one of what the runs differ in.
        options: those that all runs share; see `run`.

    Raises:
        ConfigError: as `run`; or an option has no values.
    """
    from advlab.results.compare import compare_runs  # loads pandas

    empty = [name for name, values in over.items() if isinstance(values, str) or not list(values)]
    if empty:
        raise ConfigError(f"over: {empty[0]} names no values: give a list, as in {{{empty[0]!r}: [A, B]}}")
    runs = []
    for values in itertools.product(*over.values()):
        combined = {"experiment": experiment, **options}
        for name, value in zip(over, values, strict=True):
            group, dot, key = name.partition(".")
            combined[group] = {**as_mapping(combined.get(group)), key: value} if dot else value
        runs.append(run(**combined))
    return Sweep(runs, compare_runs([done.path for done in runs]).sweep_table())


def as_mapping(value: Any) -> dict[str, Any]:
    """The keys that an option sets already."""
    return {} if value is None else dict(value) if isinstance(value, Mapping) else {"name": value}


def session_words(
    experiment: Any,
    model: Any,
    dataset: Any,
    preset: str | None,
    input_shape: Shape | None,
    options: Mapping[str, Any],
    model_name: str = "",
    dataset_name: str = "",
    allow: Sequence[str] = (),
) -> list[str]:
    """The words of a command line for a call; modules and arrays are made choices on the way.

    Raises:
        ConfigError: see `run`.
    """
    given: dict[str, Any] = {"experiment": experiment, **options}
    shape, classes = input_shape, 0
    for option, called, value, named in (
        ("model_name", model_name, model, not is_module(model)),
        ("dataset_name", dataset_name, dataset, dataset is None or is_named(dataset)),
    ):
        if called and named:
            raise ConfigError(
                f"{option}: it names what a session brings along, and {value!r} has its name: leave it out"
            )
    if dataset is not None and not is_named(dataset):
        dataset, found, classes = dataset_choice(dataset, dataset_name)
        shape = shape or found
    if not is_module(model) and (not isinstance(model, str | Mapping | None) or is_state(model)):
        raise ConfigError(f"model: {no_network(model)}")
    if is_module(model):
        shape = shape or shape_of(dataset)
        if shape is None:
            raise ConfigError("model: say what images the module takes: input_shape=(C, H, W), or give a dataset")
        if options.get("workers") or options.get("cluster"):
            raise ConfigError(
                "model: a module of this session is not on workers: register it in a file (advlab.model), and name it"
            )
        if options.get("recipe") not in (None, "none"):
            warnings.warn(
                "recipe: a module is measured as it is; the recipe serves what the experiment itself trains. To train a network by "
                "a recipe, register what builds it (advlab.model with trained=False) and name it",
                stacklevel=3,
            )
        model = model_choice(model, shape, classes, model_name)
    if allow:
        model = {**as_mapping(model), "allow": list(allow)}
    given |= {name: value for name, value in (("model", model), ("dataset", dataset)) if value is not None}
    return words_of(given | ({} if preset is None else {"preset": preset}))


def shape_of(dataset: Any) -> Shape | None:
    """The shape of a named dataset's images, where it has one of its own."""
    from advlab.config.choices import registered_name
    from advlab.config.components import REGISTRIES

    if not isinstance(dataset, str):
        return None
    component = REGISTRIES["dataset"].load(registered_name("dataset", dataset))
    shape: Shape | None = component().shape(None)
    return shape


def carry_out(words: Sequence[str]) -> Run:
    """One run from the words of a command line.

    Raises:
        AdvlabError: the fault and its remedy.
        KeyboardInterrupt: Ctrl-C.
    """
    from advlab.config.compose import Composer  # these load Hydra and numpy, which `import advlab` need not wait for
    from advlab.engine.runner import execute
    from advlab.plugins.loading import load_plugins

    load_plugins()
    with Composer(None) as composer:
        (settings,) = composer.jobs(words, multirun=False)
    if settings.run.dry:
        raise ConfigError("run.dry: a dry run makes no run to read: type it on the command line")
    try:
        outcome = execute(settings, says_results=False)
    except Interrupted as interrupt:
        raise KeyboardInterrupt("what was measured is kept: call it again with resume=True") from interrupt
    assert outcome.path is not None
    return load(outcome.path)
