"""What an author needs to test an experiment: a context around a network and arrays, and the table that it measures.

>>> import torch
>>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3))
>>> images, labels = torch.rand(5, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1])
>>> ctx = context("isotropy", network, images, labels, {"probe.radii": [0.1, 1.0], "probe.trials": 8}, samples=[0, 3])
>>> table = measured(ctx)
>>> sorted(set(table["sample"])), sorted(set(table["run"]))
([0, 3], ['test'])
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advlab.config import components
from advlab.config.choices import default_choice
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.lists import packaged_choice
from advlab.config.settings import Settings, resolve
from advlab.data.images import ImageData, tensor_digest
from advlab.engine.clean_accuracy import NetworkPredictions
from advlab.engine.networks import OtherNetworks
from advlab.engine.stages import keep_stage, plan_stages
from advlab.engine.units import PreparedRun, make_stage, measure_cell
from advlab.errors import ArgumentError, ConfigError, suggest
from advlab.lab.data_context import DataContext, DeviceContext
from advlab.lab.defended_classifier import defended_classifier
from advlab.lab.experiment import Experiment
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.store.artifacts import ArtifactStore
from advlab.store.tables import Frame, frame_of

__all__ = ["context", "measured", "settings_of"]


def settings_of(experiment: str | type[Experiment[Any]], options: Mapping[str, Any] | None = None) -> Settings:
    """The settings of an experiment as the command line would give them, on placeholders for dataset and model.

    Args:
        experiment: its name or its class, which must be registered (`advlab.experiment`).
        options: group -> choice or mapping, and dotted key -> value, as in {"attack": "fgs", "probe.trials": 8}.

    Raises:
        ConfigError: as on the command line; or a class is not registered.
    """
    name = experiment if isinstance(experiment, str) else experiment.name
    options = dict(options or {})
    if not isinstance(experiment, str) and name not in components.REGISTRIES["experiment"]:
        raise ConfigError(
            f"the experiment {name} is not registered: put @advlab.experiment before class {experiment.__name__}"
        )
    uses = components.REGISTRIES["experiment"].load(name).uses
    nodes: dict[str, Any] = {"experiment": {"name": name}, "run": {"download": False, "device": "cpu"}}
    for group in (group.name for group in COMPONENT_GROUPS if group.name != "experiment"):
        placeholder = {"dataset": "digits", "model": "lenet"}.get(group, "none") if group in uses else "none"
        choice = options.pop(group, default_choice("experiment", name, group) or placeholder)
        nodes[group] = dict(choice) if isinstance(choice, Mapping) else packaged_choice(group, choice)[group]
    for key, value in options.items():
        group, _, option = key.partition(".")
        if group not in nodes or not option:
            raise ConfigError(f"the option {key!r} is neither GROUP nor GROUP.KEY. {suggest(group, nodes)}")
        nodes[group][option] = value
    return resolve(nodes, frozenset(options))


def context(
    experiment: str | type[Experiment[Any]] | Settings,
    network: nn.Module | Forward | None = None,
    images: Tensor | ImageData | None = None,
    labels: Tensor | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    samples: Sequence[int] | None = None,
    others: Mapping[str, nn.Module | Forward] | None = None,
    batch_size: int = 256,
    folder: Path | None = None,
) -> Any:
    """The context that an experiment is handed, around a network and arrays, with `prepared` filled.

    Args:
        experiment: its name or its class, which must be registered; or the settings of a run of it.
        network: images in [0, 1] to logits, a `Classifier` or its forwards; for experiments that measure a network. It
            stands behind the defense of the options, as in a run.
        images: (N, C, H, W) in [0, 1], which are rounded to whole grey levels, or uint8; for experiments on data. All splits
            are these images. `ImageData` brings its labels along.
        labels: (N,) true classes; there are as many classes as the network has logits, or as the labels need.
        options: see `settings_of`; none with settings.
        samples: the samples that qualify; None: those that the probe asks for.
        others: name of a model (as in its YAML's `name:`) -> the network that stands for it in `ctx.listed_networks`; the
            rest is loaded or trained as in a run.
        batch_size: images a forward.
        folder: where artifacts are kept; None: a temporary folder of this context.

    Raises:
        ConfigError: as on the command line.
        ArgumentError: the images are floats outside of [0, 1].
        TypeError: the experiment needs a network or images, and there is none; or there are options beside settings.
    """
    if isinstance(experiment, Settings) and options:
        raise TypeError("settings have their options already: give those to settings_of")
    settings = experiment if isinstance(experiment, Settings) else settings_of(experiment, options)
    name, kind = settings.experiment.name, settings.experiment.context_type()
    temporary = tempfile.TemporaryDirectory() if folder is None else None
    artifacts = ArtifactStore(Path(temporary.name) if temporary else folder or Path())
    device = network.classifier.device if isinstance(network, Forward) else torch.device("cpu")
    parts: dict[str, Any] = {"settings": settings, "artifacts": artifacts, "report_progress": no_report}
    parts["facts"] = {"device": str(device)}
    if issubclass(kind, DeviceContext):
        parts["device"] = device
    if issubclass(kind, DataContext):
        if images is None or (labels is None and not isinstance(images, ImageData)):
            raise TypeError(f"{name} is handed a {kind.__name__}: give images and labels")
        data = images if isinstance(images, ImageData) else image_data(images, labels)
        if issubclass(kind, NetworkContext):
            if network is None:
                raise TypeError(f"{name} is handed a {kind.__name__}: give a network")
            forward = forward_of(network, data, batch_size)
            made = {other: forward_of(given, data, batch_size) for other, given in (others or {}).items()}
            if not isinstance(images, ImageData):
                data = image_data(images, labels, forward.classifier.classes)
            parts |= network_parts(settings, forward, made, data.to(device), artifacts, parts["facts"])
        parts |= {"data": data.to(device), "load_split": lambda split: data}
    ctx: RunContext = kind(**parts)
    if temporary is not None:
        weakref.finalize(ctx, temporary.cleanup)
    if samples is not None:
        ctx.qualified = lambda: list(samples)  # type: ignore[attr-defined]  # of a NetworkContext
    ctx.prepared = settings.experiment.prepare(ctx)
    return ctx


def measured(ctx: Any) -> Frame:
    """The table of all cells of a context, with the column `run`; stages are made first, as in a run."""
    experiment = ctx.settings.experiment
    cells = experiment.cells(ctx)
    prepared = PreparedRun(ctx, {cell.id: cell for cell in cells})
    plan_stages(ctx)
    for stage_id in ctx.stages:
        keep_stage(ctx, stage_id, partial(make_stage, prepared, stage_id))
    rows = [row for cell in cells for row in measure_cell(prepared, cell.id)]
    return frame_of([vars(row) for row in rows]).assign(run="test")


def image_data(images: Tensor, labels: Any, classes: int = 0) -> ImageData:
    """Arrays as the split `test` of a dataset `arrays`.

    Args:
        images: (N, C, H, W) in [0, 1] or uint8.
        labels: (N,) classes.
        classes: how many there are at least.

    Raises:
        ArgumentError: the images are floats outside of [0, 1].
    """
    if images.dtype != torch.uint8 and not bool(((images >= 0) & (images <= 1)).all()):
        low, high = float(images.min()), float(images.max())
        raise ArgumentError(f"images must lie in [0, 1], got {low:g} to {high:g}: divide them by 255, or give uint8")
    labels = torch.as_tensor(labels).long()
    pixels = images if images.dtype == torch.uint8 else images.mul(255).round().to(torch.uint8)
    names = tuple(f"class {k}" for k in range(max(classes, int(labels.max()) + 1)))
    shape = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return ImageData("arrays", "test", names, labels, shape, tensor_digest(pixels, labels), pixels)


def forward_of(network: nn.Module | Forward, data: ImageData, batch_size: int) -> Forward:
    """Forwards of a network for the images of `data`."""
    if isinstance(network, Forward):
        return network
    if not isinstance(network, Classifier):
        network = Classifier(network.eval(), name="test", shape=data.shape, mean=None, std=None)
    return Forward(network, Execution(batch_size, "contiguous", "float32"))


def network_parts(
    settings: Settings,
    forward: Forward,
    others: Mapping[str, Forward],
    data: ImageData,
    artifacts: ArtifactStore,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The fields of a `NetworkContext` around a network, which is put behind the defense of the settings."""
    classifier = defended_classifier(forward.classifier, settings.defense, artifacts, lambda: data)
    if classifier is not forward.classifier:
        forward = Forward(classifier, forward.execution)
    load = OtherNetworks(data, artifacts, forward.execution, facts)
    return {
        "forward": forward,
        "load_network": lambda other: others.get(other.nodes["model"]["name"]) or load(other),
        "predictions": NetworkPredictions(settings, artifacts, no_report, forward, data),
    }


def no_report(title: str, done: int, total: int) -> None:
    """A test shows no progress."""
