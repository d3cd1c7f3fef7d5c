"""What the forwards and backwards of a run's network take: FLOPs, time and memory, from one image and one timed batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from advlab.data.images import ImageData
from advlab.lab.cells import Cost
from advlab.lab.network_context import NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.models.fastest_batch import throughput
from advlab.models.forward import Execution, Forward


def network_cost_lines(ctx: NetworkContext, cost: Cost) -> list[str]:
    """The lines of a dry run about network, device and data."""
    forward, classifier, execution, data = ctx.forward, ctx.classifier, ctx.execution, ctx.data
    flops, images_per_second = flops_and_speed(forward)
    # a backward with respect to the input costs about one forward, with the forward before it two
    passes = cost.forwards + 2 * cost.backwards
    time = (
        f"about {duration_text(passes / images_per_second)} ({images_per_second:,.0f} images/s, measured on one batch)"
    )
    origin = str(ctx.facts["model"]["origin"])
    training = [f"  training   {origin}: its time comes on top"] if origin.startswith("not trained") else []
    return [
        *training,
        f"  FLOPs      {flops * passes:.3g} ({flops:.3g} a forward of one image)",
        f"  time       {time}",
        f"  batch      {execution.batch_size} images, {execution.memory_format}, {execution.precision}",
        f"  device     {ctx.device}",
        f"  memory     {memory_text(classifier, execution, data)}",
        f"  model      {classifier.name}: {classifier.classes} classes",
        f"  dataset    {data.name}/{data.split}: {len(data)} images of {'x'.join(map(str, data.shape))}",
    ]


def flops_and_speed(forward: Forward) -> tuple[float, float]:
    """FLOPs of one image's forward (2 for a multiplication and an addition), and images a second of one timed batch."""
    classifier = forward.classifier
    with frozen(classifier), torch.no_grad(), FlopCounterMode(display=False) as counter:
        classifier(torch.zeros((1, *classifier.shape), device=classifier.device))
    return float(counter.get_total_flops()), throughput(forward, classifier.device)


def memory_text(classifier: Classifier, execution: Execution, data: ImageData) -> str:
    """Bytes of the parameters, of the data on the device and of one batch of images, in words."""
    parameters = sum(t.numel() * t.element_size() for t in classifier.state_dict().values())
    kept = data.pixels.nbytes if isinstance(data.pixels, Tensor) else 0
    batch = 2 * 4 * execution.batch_size * math.prod(data.shape)  # noise and images, four bytes a value
    data_text = f"{kept / 1e6:.1f} MB of data" if kept else "data streamed from files"
    return f"{parameters / 1e6:.1f} MB of weights, {data_text}, {batch / 1e6:.1f} MB of noise and images a batch, and activations"


def duration_text(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
