"""The contexts of experiments that need torch: their device, images, and network with weights, batches and accuracy."""

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
from advlab.engine.plan import check_versions
from advlab.errors import MeasurementError, ResultError
from advlab.lab.data_context import DataContext, DeviceContext
from advlab.lab.defended_classifier import DefendedClassifier
from advlab.lab.network_context import NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.models.fastest_batch import device_name, tune
from advlab.models.forward import Execution, Forward, out_of_memory, set_precision
from advlab.store.artifacts import ArtifactStore


def build_torch_context(
    settings: Settings,
    artifacts: ArtifactStore,
    plan: dict[str, Any] | None,
    report_progress: Callable[[str, int, int], None],
) -> DeviceContext:
    """See `advlab.engine.setup.build_context`.

    Raises:
        MeasurementError: the device has no memory left for data and network.
    """
    device = choose_device(settings.run.device if plan is None else plan["device"])
    with memory_named(device, lambda: "free its memory, which other processes may hold, or type run.device=cpu"):
        return _context_on(device, settings, artifacts, plan, report_progress)


def _context_on(
    device: torch.device,
    settings: Settings,
    artifacts: ArtifactStore,
    plan: dict[str, Any] | None,
    report_progress: Callable[[str, int, int], None],
) -> DeviceContext:
    kind = settings.experiment.context_type()
    # of a resumed run the same, for the same bits; set also where it is what it was, since setting it changes how MKL works
    torch.set_num_threads((plan or {}).get("threads", 0) or settings.run.threads or torch.get_num_threads())
    set_precision(settings.run.precision)
    facts = {"device": str(device), "device_name": device_name(device), "threads": torch.get_num_threads()}
    parts: dict[str, Any] = {
        "settings": settings, "artifacts": artifacts, "report_progress": report_progress, "device": device, "facts": facts,
    }  # fmt: skip
    if not issubclass(kind, DataContext):
        return DeviceContext(**parts)
    load_split = cache(partial(load_dataset, settings, artifacts))
    data = load_split(settings.dataset.split).to(device)
    facts["dataset"] = data_facts(data, plan)
    parts |= {"data": data, "load_split": load_split}
    if not issubclass(kind, NetworkContext):
        return DataContext(**parts)
    ctx = NetworkContext(**parts, **network_parts(settings, data, artifacts, facts, report_progress, plan))
    if not settings.run.dry:
        report_accuracy(ctx)
    return ctx


def data_facts(data: ImageData, plan: dict[str, Any] | None) -> dict[str, Any]:
    """What the images are, for the manifest.

    Raises:
        ResultError: they are not those of the plan.
    """
    if plan is not None and plan["data"] != data.digest:
        raise ResultError(
            f"the images of {data.name}/{data.split} are not those that this run began with "
            f"({plan['data'][:12]}): start a new run without run.resume"
        )
    return {
        "name": data.name, "split": data.split, "images": len(data), "shape": list(data.shape),
        "classes": list(data.classes), "digest": data.digest,
        **({"remarks": [remark.text for remark in data.remarks]} if data.remarks else {}),
    }  # fmt: skip


def network_parts(
    settings: Settings,
    data: ImageData,
    artifacts: ArtifactStore,
    facts: dict[str, Any],
    report_progress: Callable[[str, int, int], None],
    plan: dict[str, Any] | None,
) -> dict[str, Any]:
    """The network, the forwards of it, and the means to load others, as the fields of a `NetworkContext`.

    Raises:
        AdvlabError: the network cannot be loaded or trained, or its weights are not those of the plan.
    """
    allow = getattr(settings.model, "allow", [])
    loaded = load_network(settings, data, artifacts, data.device, allow)
    classifier = loaded.classifier
    weights = classifier.digest()
    execution = execution_of(settings, artifacts, classifier, weights, plan)
    forward = Forward(classifier, execution)
    facts["model"] = {
        "name": classifier.name, "weights": weights, "origin": loaded.origin, "classes": classifier.classes,
        "head": classifier.head, "parameters": sum(p.numel() for p in classifier.network.parameters()),
    }  # fmt: skip
    if loaded.faults:
        facts["model"]["faults"] = loaded.faults
    if isinstance(classifier, DefendedClassifier):
        facts["model"]["defended"] = {
            name: getattr(classifier, name) for name in ("differentiable", "random", "one_draw", "rejects")
        }
    return {
        "forward": forward,
        "predictions": NetworkPredictions(settings, artifacts, report_progress, forward, data),
        "load_network": OtherNetworks(data, artifacts, execution, facts, allow),
    }


def execution_of(
    settings: Settings, artifacts: ArtifactStore, classifier: Classifier, weights: str, plan: dict[str, Any] | None
) -> Execution:
    """Batch size and memory format: the fastest of a new run, those of the plan when it is resumed, for the same bits.

    Raises:
        ResultError: the weights are not those of the plan.
    """
    run = settings.run
    if plan is None:
        return tune(classifier, classifier.device, run.precision, artifacts, run.batch_size)
    if plan["weights"] != weights or plan.get("behaviour", classifier.behaviour) != classifier.behaviour:
        check_versions(plan, settings)  # whose message names the component
        what = "the weights" if plan["weights"] != weights else "the outputs"
        raise ResultError(
            f"{what} of {classifier.name} are not those that this run began with ({plan['weights'][:12]}): start a new run "
            "without run.resume"
        )
    return Execution(**plan["execution"])


@contextlib.contextmanager
def measuring_on_a_device(ctx: DeviceContext) -> Iterator[None]:
    """What holds while units are measured: the network is in evaluation mode, and its parameters take no gradients.

    Raises:
        MeasurementError: memory ran out where batches are not halved: outside of the forwards.
    """

    def remedy() -> str:
        if isinstance(ctx, NetworkContext) and ctx.forward.limit > 1:
            return f"start a new run with a smaller batch: type run.batch_size={max(1, ctx.forward.limit // 4)}"
        return "free its memory, or type run.device=cpu"

    evaluation = frozen(ctx.classifier) if isinstance(ctx, NetworkContext) else contextlib.nullcontext()
    with evaluation, memory_named(ctx.device, remedy):
        yield


@contextlib.contextmanager
def memory_named(device: torch.device, remedy: Callable[[], str]) -> Iterator[None]:
    """One line instead of a traceback where memory runs out inside.

    Args:
        device: that is named.
        remedy: what to do about it, asked for when it is needed.

    Raises:
        MeasurementError: it did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise MeasurementError(f"out of memory on {device}: {remedy()}") from error
