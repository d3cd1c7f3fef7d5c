"""Training against the bare loop of its forwards, losses and backwards: clean, and with hard points (barati2021, IV-C)."""

from __future__ import annotations

import statistics
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.engine.device import choose_device
from advlab.metrics.objectives import own_loss
from advlab.models.forward import set_precision
from advlab.models.networks.lenet import LeNet
from advlab.models.networks.mlp import MLP
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from benchmarks.report import Ratio, Report, in_turn, note_peak_memory, ratio, synchronise

BATCH, STEPS, LENGTH = 128, 5, 0.5
AIM = 1.10


def run(report: Report, *, repeats: int, images: int) -> None:
    """784-512-512-10 and LeNet on random images in memory; 0: 7 repeats, 6400 images."""
    set_precision("float32")
    repeats, images, device = repeats or 7, images or 6400, choose_device("auto")
    pixels = torch.randint(0, 256, (images, 1, 28, 28), dtype=torch.uint8).to(device)
    labels = torch.randint(0, 10, (images,)).to(device)
    for name, network in {
        "mlp": MLP(input_shape=(1, 28, 28), classes=10),
        "lenet": LeNet(input_shape=(1, 28, 28), classes=10),
    }.items():
        for points in (False, True):
            workload(report, name, network.to(device), pixels, labels, repeats, points=points)


def workload(
    report: Report,
    name: str,
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    repeats: int,
    *,
    points: bool,
    precision: Literal["float32", "bf16"] = "float32",
) -> None:
    """One network, one epoch: ours and the bare loop, in turn."""
    device, low = pixels.device, precision == "bf16"
    channels_last = device.type == "cpu" or low  # as ours
    augment = [f"hard:{STEPS},{LENGTH}"] if points else []
    recipe = Recipe(
        name="bench", epochs=1, batch_size=BATCH, optimizer="adam", lr=1e-4, augment=augment, precision=precision
    )
    mean, std = torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.3)
    x = torch.rand(2 * BATCH if points else BATCH, *pixels.shape[1:], device=device)
    y = torch.randint(0, 10, (len(x),), device=device)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    head_inputs: list[Tensor] = []

    def ours() -> None:
        train(network, pixels, labels, recipe, mean=mean, std=std, device=device, seed=0)
        synchronise(device)

    def bare() -> None:
        network.train()
        if channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        head = next(module for module in reversed(list(network.modules())) if isinstance(module, nn.Linear))
        handle = head.register_forward_pre_hook(lambda _, inputs: head_inputs.append(inputs[0]))
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
        for _ in range(len(pixels) // BATCH):
            x_hard = x[:BATCH].requires_grad_()
            network.requires_grad_(False)
            for _ in range(STEPS if points else 0):
                head_inputs.clear()
                with torch.autocast(device.type, torch.bfloat16, enabled=low):
                    network(x_hard)
                torch.autograd.grad(own_loss(head_inputs[0]).sum(), x_hard)
            network.requires_grad_(True)
            head_inputs.clear()
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=low):
                logits = network(x.detach())
            F.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        handle.remove()
        synchronise(device)

    title = f"training, {name}, batch {BATCH}{', bf16' if low else ''}"
    title += f", {STEPS} ascents on the hard objective" if points else ""
    note_peak_memory(report, title, device, ours)
    seconds = in_turn({"ours": ours, "bare": bare}, repeats)
    value, spread = ratio(seconds, "ours", "bare")
    report.ratios.append(
        Ratio(title, "time over bare forwards and backwards", value, spread, f"at most {AIM:.2f}", value <= AIM)
    )
    speeds = {side: len(pixels) / statistics.median(values) for side, values in seconds.items()}
    report.facts[title] = ", ".join(f"{side} {speed:,.0f} images/s" for side, speed in speeds.items())
