"""A LeNet fine-tuned on its own adversarial images (gunther2017, table 1): beside the CPU's, and beside the bare loop."""

from __future__ import annotations

import copy
import functools
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.attacks import FGS
from advlab.data.images import eight_bit
from advlab.models.forward import set_precision
from advlab.training.epochs import EpochLog
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from benchmarks.gpu.against_cpu import CPU
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.speed import SMALL_AIM
from benchmarks.gpu.trained import digits, trained_lenet
from benchmarks.gpu.training_against_cpu import ACCURACY, FIRST_STEPS, LOSS, WEIGHTS, flat
from benchmarks.report import Ratio, Report, in_turn, note_peak_memory, ratio, synchronise

#: caffe's for LeNet, with which `adversarial_training` fine-tunes
CAFFE = Recipe(
    name="gpu", max_steps=1, batch_size=64, lr=0.01, weight_decay=5e-4, bias_lr=2.0, schedule="inv", normalise="caffe"
)


@functools.cache
def adversarial_images(count: int) -> tuple[Tensor, Tensor]:
    """(n, 1, 28, 28) uint8 FGS images of training images of the trained LeNet, made on the CPU, and (n,) their true classes."""
    classifier, _, _ = trained_lenet()
    data = digits("train")
    index = torch.arange(min(count, len(data)))
    result = FGS(discrete=True)(classifier, data.images(index), data.labels[index])
    return eight_bit(result.adv[result.success]), data.labels[index][result.success]


def fine_tuned(
    network: nn.Module, pixels: Tensor, labels: Tensor, steps: int, device: torch.device | str
) -> list[EpochLog]:
    """Train in place from the weights that it has."""
    recipe = Recipe(**{**vars(CAFFE), "max_steps": steps})
    mean, std = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    return list(train(network, pixels, labels, recipe, mean=mean, std=std, device=device, seed=0).epochs)


def against_cpu(report: Report, setting: Setting) -> None:
    """The same images in the same order from the same weights: weights after the first steps, accuracy and loss at the end."""
    set_precision("float32")
    classifier, _, _ = trained_lenet()
    pixels, labels = adversarial_images(setting.sized(1500, 150))
    steps = setting.sized(100, 10)
    weights, ends = [], []
    for device in (CPU, setting.device):
        network = copy.deepcopy(classifier.network)
        fine_tuned(network, pixels, labels, FIRST_STEPS, device)
        weights.append(flat(network))
        ends.append(fine_tuned(copy.deepcopy(classifier.network), pixels, labels, steps, device)[-1])
    far = float((weights[1] - weights[0]).norm() / (weights[0] - flat(classifier.network)).norm())
    accuracy, loss = abs(ends[1].accuracy - ends[0].accuracy), abs(ends[1].loss - ends[0].loss)
    title = f"fine-tuning of lenet on {len(pixels)} FGS images"
    report.ratios += [
        Ratio(
            title, f"difference of weights over their way, {FIRST_STEPS} steps", far, 0.0, f"at most {WEIGHTS:g}", far <= WEIGHTS
        ),
        Ratio(
            title, f"difference of the accuracy, {steps} steps", accuracy, 0.0, f"at most {ACCURACY:g}", accuracy <= ACCURACY
        ),
        Ratio(title, f"difference of the loss, {steps} steps", loss, 0.0, f"at most {LOSS:g}", loss <= LOSS),
    ]  # fmt: skip


def speed(report: Report, setting: Setting) -> None:
    """So many steps beside the bare loop of as many forwards, losses, backwards and steps of SGD on one batch."""
    set_precision("float32")
    classifier, _, _ = trained_lenet()
    pixels, labels = (part.to(setting.device) for part in adversarial_images(setting.sized(1500, 150)))
    network, steps = copy.deepcopy(classifier.network).to(setting.device), setting.sized(500, 3)
    x, y = pixels[: CAFFE.batch_size].float() / 255, labels[: CAFFE.batch_size]
    if setting.device.type == "cpu":  # as ours
        x = x.contiguous(memory_format=torch.channels_last)

    def ours() -> None:
        fine_tuned(network, pixels, labels, steps, setting.device)
        synchronise(setting.device)

    def bare() -> None:
        network.train().requires_grad_(True)
        optimizer = torch.optim.SGD(network.parameters(), lr=CAFFE.lr, momentum=CAFFE.momentum, fused=True)
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        synchronise(setting.device)

    title = f"fine-tuning of lenet, batch {CAFFE.batch_size}, {steps} steps"
    note_peak_memory(report, title, setting.device, ours)
    seconds = in_turn({"ours": ours, "bare": bare}, setting.sized(5, 1))
    value, spread = ratio(seconds, "ours", "bare")
    report.ratios.append(
        Ratio(title, "time over bare forwards and backwards", value, spread, f"at most {SMALL_AIM:.2f}", value <= SMALL_AIM)
    )  # fmt: skip
    speeds = {side: steps / statistics.median(values) for side, values in seconds.items()}
    report.facts[title] = ", ".join(f"{side} {speed:,.0f} steps/s" for side, speed in speeds.items())
