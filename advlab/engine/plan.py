"""The plan of a run before it is made: cells, forwards, FLOPs, a time estimate and memory."""

from __future__ import annotations

import math
from typing import Any

from advlab.config.settings import Settings
from advlab.lab.experiment import Experiment


def plan_text(settings: Settings, experiment: Experiment, ctx: Any) -> str:
    """The plan as lines; one forward is counted and one batch is timed, nothing is written."""
    cost = experiment.cost(ctx)
    cells = experiment.cells(ctx)
    lines = [
        f"plan of {experiment.name} ({experiment.paper}), preset {settings.run.preset}",
        f"  cells      {len(cells)}",
        f"  forwards   {cost.forwards:,} images",
        f"  backwards  {cost.backwards:,} images",
    ]
    if ctx.forward is not None:
        flops, speed = measure(ctx)
        # a backward with respect to the input costs about one forward, with the forward before it two
        seconds = (cost.forwards + 2 * cost.backwards) / speed
        total = flops * (cost.forwards + 2 * cost.backwards)
        lines += [
            f"  FLOPs      {total:.3g} ({flops:.3g} a forward of one image)",
            f"  time       about {duration(seconds)} ({speed:,.0f} images/s, measured on one batch)",
            f"  batch      {ctx.execution.batch_size} images, {ctx.execution.memory_format}, {ctx.execution.precision}",
            f"  device     {ctx.device}",
            f"  memory     {memory(ctx)}",
            f"  model      {ctx.classifier.name}: {ctx.classifier.classes} classes",
            f"  dataset    {ctx.data.name}/{ctx.data.split}: {len(ctx.data)} images of {'x'.join(map(str, ctx.data.shape))}",
        ]
    bound = "" if ctx.forward is None else "; an upper bound: fewer samples may qualify"
    lines.append(f"nothing was written{bound}")
    return "\n".join(lines)


def measure(ctx: Any) -> tuple[float, float]:
    """FLOPs of one image's forward (2 a multiply-add) and images a second of one timed batch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from advlab.models.classifier import frozen
    from advlab.models.tuning import throughput

    with frozen(ctx.classifier), torch.no_grad(), FlopCounterMode(display=False) as counter:
        ctx.classifier(torch.zeros((1, *ctx.classifier.shape), device=ctx.device))
    return float(counter.get_total_flops()), throughput(ctx.forward, ctx.device)


def memory(ctx: Any) -> str:
    """Bytes of the parameters, of the data on the device and of one batch of images."""
    from torch import Tensor

    parameters = sum(t.numel() * t.element_size() for t in ctx.classifier.state_dict().values())
    data = ctx.data.pixels.numel() if isinstance(ctx.data.pixels, Tensor) else 0
    batch = 2 * 4 * ctx.execution.batch_size * math.prod(ctx.data.shape)
    held = f"{data / 1e6:.1f} MB of data" if data else "data streamed from files"
    return f"{parameters / 1e6:.1f} MB of weights, {held}, {batch / 1e6:.1f} MB of noise and images a batch, and activations"


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
