"""Defenses of gunther2017 on the device: their logits beside the CPU's, and their time beside that of the forwards behind them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from advlab.defenses import Blur, Crops, Defense, OpenMax
from advlab.models.classifier import frozen
from advlab.models.forward import set_precision
from benchmarks.gpu.against_cpu import CPU
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.speed import SMALL_AIM
from benchmarks.gpu.trained import digits, trained_lenet
from benchmarks.report import Ratio, Report, in_turn, note_peak_memory, ratio, synchronise

#: largest difference of the logits over the largest; of OpenMax also those of its Weibull fits, made on each device
LOGITS, OPEN_SET = 1e-4, 1e-3
DIFFERING = 0.01  # share of the images whose class may differ: a score at the boundary falls either way


def listed(setting: Setting) -> dict[str, tuple[Defense, int]]:
    """Name -> defense, and the forwards that an image takes behind it; 12 x 12 crops are those of section 4."""
    grid = setting.sized(12, 2)
    return {
        "blur": (Blur(), 1),
        f"{grid**2} crops": (Crops(grid=grid), grid**2),
        "openmax": (OpenMax(tail_size=setting.sized(200, 20)), 1),
    }


def against_cpu(report: Report, setting: Setting) -> None:
    """Logits and classes of LeNet behind each defense; OpenMax is fitted on each device anew."""
    set_precision("float32")
    classifier, x, _ = trained_lenet()
    x = x[: setting.sized(300, 20)]
    for name, (defense, _) in listed(setting).items():
        cpu, other = (behind(defense, classifier, x, device) for device in (CPU, setting.device))
        far = float((other - cpu).abs().max() / cpu.abs().max())
        differing = float((other.argmax(1) != cpu.argmax(1)).double().mean())
        title, tolerance = f"{name}, lenet, {len(x)} images", OPEN_SET if defense.needs_fit else LOGITS
        report.ratios += [
            Ratio(
                title, "largest difference over the largest logit", far, 0.0, f"at most {tolerance:g}", far <= tolerance
            ),
            Ratio(title, "share of the classes that differ", differing, 0.0, f"at most {DIFFERING:g}", differing <= DIFFERING),
        ]  # fmt: skip


def behind(defense: Defense, classifier: torch.nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """(n, K) logits of images behind a defense on a device, on the CPU in float64."""
    network = copy.deepcopy(classifier).to(device)
    fitted = defense.fit(digits("train"), network) if defense.needs_fit else None
    with torch.inference_mode():
        logits: Tensor = defense(network, fitted=fitted)(x.to(device))
    return logits.cpu().double()


def speed(report: Report, setting: Setting) -> None:
    """LeNet behind each defense, beside as many bare forwards of the same batch."""
    set_precision("float32")
    classifier, x, _ = trained_lenet()
    network = copy.deepcopy(classifier).to(setting.device)
    for name, (defense, forwards) in listed(setting).items():
        count = setting.sized(2048 if forwards > 1 else 8192, 20)
        images = x.repeat(-(-count // len(x)), 1, 1, 1)[:count].to(setting.device)
        fitted = defense.fit(digits("train"), network) if defense.needs_fit else None
        defended = defense(network, fitted=fitted)

        def ours(images: Tensor = images, defended: torch.nn.Module = defended) -> None:
            defended(images)
            synchronise(setting.device)

        def floor(images: Tensor = images, forwards: int = forwards) -> None:
            for _ in range(forwards):
                network(images)
            synchronise(setting.device)

        title, bare = (
            f"{name}, lenet, batch of {count} images",
            f"{forwards} bare forwards" if forwards > 1 else "a bare forward",
        )
        with frozen(network), torch.inference_mode():
            note_peak_memory(report, title, setting.device, ours)
            value, spread = ratio(in_turn({"ours": ours, "floor": floor}, setting.sized(9, 1)), "ours", "floor")
        report.ratios.append(
            Ratio(title, f"time over {bare}", value, spread, f"at most {SMALL_AIM:.2f}", value <= SMALL_AIM)
        )  # fmt: skip
