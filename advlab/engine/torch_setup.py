"""The context of an experiment that needs torch: its device, its images, and its network with weights, batches and accuracy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch

from advlab.config.settings import Settings
from advlab.data.images import ImageData
from advlab.engine.clean_accuracy import NetworkPredictions, report_accuracy
from advlab.engine.datasets import load_dataset
from advlab.engine.device import choose_device
from advlab.engine.networks import OtherNetworks, load_network
from advlab.errors import ResultError
from advlab.lab.context import Context
from advlab.models.classifier import Classifier, frozen
from advlab.models.fastest_batch import device_name, tune
from advlab.models.forward import Execution, Forward, set_precision
from advlab.store.artifacts import ArtifactStore


def build_torch_context(
    settings: Settings,
    artifacts: ArtifactStore,
    plan: dict[str, Any] | None,
    report_progress: Callable[[str, int, int], None],
) -> Context:
    """See `advlab.engine.setup.build_context`."""
    experiment = settings.experiment
    device = choose_device(settings.run.device if plan is None else plan["device"])
    set_precision(settings.run.precision)
    ctx = Context(settings, artifacts, device, report_progress)
    ctx.facts |= {"device": str(device), "device_name": device_name(device), "threads": torch.get_num_threads()}
    if "dataset" in experiment.uses:
        ctx.load_split = cache(partial(load_dataset, settings, artifacts))
        ctx.data = ctx.load_split(settings.dataset.split).to(device)
        describe_data(ctx, ctx.data, plan)
    if has_network(settings):
        assert ctx.data is not None  # who uses a model names a dataset for it
        add_network(ctx, ctx.data, plan)
        if not settings.run.dry:
            report_accuracy(ctx)
    return ctx


def has_network(settings: Settings) -> bool:
    """Whether the run has a network of its own; an experiment that trains variants of it loads them itself."""
    experiment = settings.experiment
    return "model" in experiment.uses and settings.nodes["model"]["name"] != "none" and not experiment.trains


def describe_data(ctx: Context, data: ImageData, plan: dict[str, Any] | None) -> None:
    """Keep what the images are for the manifest.

    Raises:
        ResultError: they are not those of the plan.
    """
    ctx.facts["dataset"] = {
        "name": data.name, "split": data.split, "images": len(data), "shape": list(data.shape),
        "classes": list(data.classes), "digest": data.digest,
    }  # fmt: skip
    if plan is not None and plan["data"] != data.digest:
        raise ResultError(
            f"the images of {data.name}/{data.split} are not those that this run began with "
            f"({plan['data'][:12]}): start a new run without run.resume"
        )


def add_network(ctx: Context, data: ImageData, plan: dict[str, Any] | None) -> None:
    """Give the context its network, the forwards of it, and the means to load others.

    Raises:
        AdvlabError: the network cannot be loaded or trained, or its weights are not those of the plan.
    """
    loaded = load_network(ctx.settings, data, ctx.artifacts, ctx.device)
    classifier = ctx.classifier = loaded.classifier
    weights = classifier.digest()
    ctx.execution = execution_of(ctx, classifier, weights, plan)
    ctx.forward = Forward(classifier, ctx.execution)
    ctx.facts["model"] = {
        "name": classifier.name, "weights": weights, "origin": loaded.origin, "classes": classifier.classes,
        "head": classifier.head, "parameters": sum(p.numel() for p in classifier.network.parameters()),
    }  # fmt: skip
    ctx.predictions = NetworkPredictions(ctx, ctx.forward, data)
    ctx.load_network = OtherNetworks(data, ctx.artifacts, ctx.execution, ctx.facts)


def execution_of(ctx: Context, classifier: Classifier, weights: str, plan: dict[str, Any] | None) -> Execution:
    """Batch size and memory format: the fastest of a new run, those of the plan when it is resumed, for the same bits.

    Raises:
        ResultError: the weights are not those of the plan.
    """
    run = ctx.settings.run
    if plan is None:
        return tune(classifier, ctx.device, run.precision, ctx.artifacts, run.batch_size)
    if plan["weights"] != weights:
        raise ResultError(
            f"the weights of {classifier.name} are not those that this run began with ({plan['weights'][:12]}): "
            "start a new run without run.resume"
        )
    return Execution(**plan["execution"])


@contextlib.contextmanager
def torch_measurement_mode(ctx: Context) -> Iterator[None]:
    """See `advlab.engine.setup.measurement_mode`."""
    with contextlib.ExitStack() as modes:
        if ctx.classifier is not None:
            modes.enter_context(frozen(ctx.classifier))
        if not ctx.settings.experiment.gradients:
            modes.enter_context(torch.inference_mode())
        yield
