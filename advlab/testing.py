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
from advlab.engine.units import CELL, STAGE, PreparedRun, carry_out
from advlab.lab.data_context import DataContext, DeviceContext
from advlab.lab.experiment import Experiment
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.store.artifacts import Arrays, ArtifactStore
from advlab.store.tables import Frame, frame_of

__all__ = ["context", "measured", "settings_of"]


def settings_of(experiment: str | type[Experiment[Any]], options: Mapping[str, Any] | None = None) -> Settings:
    """The settings of an experiment as the command line would give them, on placeholders for dataset and model.

    Args:
        experiment: its name or its class, which must be registered (`advlab.experiment`).
        options: group -> choice or mapping, and dotted key -> value, as in {"attack": "fgs", "probe.trials": 8}.

    Raises:
        ConfigError: as on the command line.
    """
    name = experiment if isinstance(experiment, str) else experiment.name
    options = dict(options or {})
    uses = components.REGISTRIES["experiment"].load(name).uses
    nodes: dict[str, Any] = {"experiment": {"name": name}, "run": {"download": False, "device": "cpu"}}
    for group in (group.name for group in COMPONENT_GROUPS if group.name != "experiment"):
        placeholder = {"dataset": "digits", "model": "lenet"}.get(group, "none") if group in uses else "none"
        choice = options.pop(group, default_choice("experiment", name, group) or placeholder)
        nodes[group] = dict(choice) if isinstance(choice, Mapping) else packaged_choice(group, choice)[group]
    for key, value in options.items():
        group, _, option = key.partition(".")
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
    others: Mapping[str, Forward] | None = None,
    batch_size: int = 256,
    folder: Path | None = None,
) -> Any:
    """The context that an experiment is handed, around a network and arrays, with `prepared` filled.

    Args:
        experiment: its name or its class, which must be registered; or the settings of a run of it.
        network: images in [0, 1] to logits, a `Classifier` or its forwards; for experiments that measure a network.
        images: (N, C, H, W) in [0, 1], which are rounded to whole grey levels, or uint8; for experiments on data.
            `ImageData` brings its labels along.
        labels: (N,) true classes.
        options: see `settings_of`; none with settings.
        samples: the samples that qualify; None: those that the probe asks for.
        others: name -> forwards of the networks that lists of models name; None: they are loaded as in a run.
        batch_size: images a forward.
        folder: where artifacts are kept; None: a temporary folder of this context.

    Raises:
        ConfigError: as on the command line.
        TypeError: the experiment needs a network or images, and there is none.
    """
    settings = experiment if isinstance(experiment, Settings) else settings_of(experiment, options)
    kind = settings.experiment.context_type()
    temporary = tempfile.TemporaryDirectory() if folder is None else None
    artifacts = ArtifactStore(Path(temporary.name) if temporary else folder or Path())
    parts: dict[str, Any] = {"settings": settings, "artifacts": artifacts, "report_progress": no_report}
    device = network.classifier.device if isinstance(network, Forward) else torch.device("cpu")
    parts["facts"] = {"device": str(device)}
    if issubclass(kind, DeviceContext):
        parts["device"] = device
    if issubclass(kind, DataContext):
        if images is None or (labels is None and not isinstance(images, ImageData)):
            raise TypeError(f"{settings.experiment.name} is handed a {kind.__name__}: give images and labels")
        data = images if isinstance(images, ImageData) else image_data(images, labels)
        parts |= {"data": data, "load_split": lambda split: data}
    if issubclass(kind, NetworkContext):
        if network is None:
            raise TypeError(f"{settings.experiment.name} is handed a {kind.__name__}: give a network")
        parts |= network_parts(settings, network, data, artifacts, batch_size, parts["facts"])
    ctx: RunContext = kind(**parts)
    if temporary is not None:
        weakref.finalize(ctx, temporary.cleanup)
    if others is not None:
        ctx.load_network = lambda other: others[other.nodes["model"]["name"]]  # type: ignore[attr-defined]  # likewise
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
        keep_stage(ctx, stage_id, partial(made_by, prepared, stage_id))
    rows = [row for cell in cells for row in carry_out(prepared, f"{CELL}:{cell.id}").rows]
    return frame_of([vars(row) for row in rows]).assign(run="test")


def made_by(prepared: PreparedRun, stage_id: str) -> tuple[Arrays, Mapping[str, Any]]:
    """What a stage makes."""
    result = carry_out(prepared, f"{STAGE}:{stage_id}")
    return result.arrays, result.facts


def image_data(images: Tensor, labels: Any) -> ImageData:
    """Arrays as the split `test` of a dataset `arrays`: (N, C, H, W) images in [0, 1] or uint8, and (N,) classes."""
    pixels = images if images.dtype == torch.uint8 else images.mul(255).round().to(torch.uint8)
    classes = tuple(f"class {k}" for k in range(int(labels.max()) + 1))
    shape = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return ImageData("arrays", "test", classes, labels.long(), shape, tensor_digest(pixels, labels), pixels)


def network_parts(
    settings: Settings,
    network: nn.Module | Forward,
    data: ImageData,
    artifacts: ArtifactStore,
    batch_size: int,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The fields of a `NetworkContext` around a network."""
    if isinstance(network, Forward):
        forward = network
    else:
        if not isinstance(network, Classifier):
            network = Classifier(network.eval(), name="test", shape=data.shape, mean=None, std=None)
        forward = Forward(network, Execution(batch_size, "contiguous", "float32"))
    return {
        "forward": forward, "load_network": OtherNetworks(data, artifacts, forward.execution, facts),
        "predictions": NetworkPredictions(settings, artifacts, no_report, forward, data),
    }  # fmt: skip


def no_report(title: str, done: int, total: int) -> None:
    """A test shows no progress."""
