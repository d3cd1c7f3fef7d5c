"""DeepFool and UAP on resnet50 with random weights: what of their time is neither forward nor backward."""

from __future__ import annotations

import statistics

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from advlab.attacks import UAP, DeepFool
from advlab.models.classifier import frozen
from benchmarks.contest import clocked
from benchmarks.report import Report


def large(report: Report, device: torch.device, count: int, size: int = 224, batch: int = 64) -> None:
    """DeepFool and UAP on resnet50 with random weights: images a second, and what is neither forward nor backward."""
    torch.manual_seed(0)
    model = resnet50().to(device).eval().to(memory_format=torch.channels_last)
    x = torch.rand((count, 3, size, size), device=device).contiguous(memory_format=torch.channels_last)
    attacks = {"DeepFool, 10 candidates": DeepFool(candidates=10, clip="none"), "UAP": UAP(epsilon=10 / 255, passes=1)}
    with frozen(model):
        with torch.no_grad():
            y = torch.cat([model(part) for part in x.split(batch)]).argmax(1)
        forward, backward = unit_costs(model, x[:batch])
        rows = []
        for name, attack in attacks.items():
            attack(model, x[:batch], y[:batch], batch_size=batch)
            seconds, result = clocked(lambda a=attack: a(model, x, y, batch_size=batch))  # type: ignore[misc]
            share = 1 - (result.forwards * forward + result.backwards * backward) / seconds
            rows.append(
                {
                    "attack": name, "images": count, "images/s": count / seconds, "forwards": result.forwards,
                    "backwards": result.backwards, "neither forward nor backward": share,
                }
            )  # fmt: skip
    report.tables[f"resnet50 at {size}, random weights, batches of {batch}"] = rows


def unit_costs(model: nn.Module, x: Tensor, repeats: int = 5) -> tuple[float, float]:
    """Seconds of a forward, and of a backward to the input, for one image of a full batch."""

    def forward() -> None:
        with torch.no_grad():
            model(x)

    def both() -> None:
        leaf = x.detach().requires_grad_()
        torch.autograd.grad(model(leaf).sum(), leaf)

    for call in (forward, both):
        call()
    f = statistics.median(clocked(forward)[0] for _ in range(repeats)) / len(x)
    return f, statistics.median(clocked(both)[0] for _ in range(repeats)) / len(x) - f
