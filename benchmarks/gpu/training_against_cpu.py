"""A training on the device beside the CPU's: the weights after its first steps, and accuracy and loss at its end."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from advlab.models.forward import set_precision
from advlab.training.epochs import EpochLog
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from benchmarks.gpu.against_cpu import CPU
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.trained import digits, small_lenet
from benchmarks.report import Ratio, Report

FIRST_STEPS = 5
WEIGHTS, ACCURACY, LOSS = 1e-4, 0.02, 0.05  # relative; absolute, about what another seed gives; likewise


def run(report: Report, setting: Setting) -> None:
    """LeNet on the embedded digits, from the same initial weights in the same order of the images."""
    set_precision("float32")
    initial, data = small_lenet(), digits("train")
    assert isinstance(data.pixels, Tensor)
    first = Recipe(name="gpu", max_steps=FIRST_STEPS, batch_size=64, lr=0.03)
    whole = Recipe(name="gpu", epochs=setting.sized(3, 1), batch_size=64, lr=0.03)
    weights, ends = [], []
    for device in (CPU, setting.device):
        for recipe in (first, whole):
            network = copy.deepcopy(initial)
            log = trained(network, data.pixels, data.labels, recipe, device)
            weights += [flat(network)] if recipe is first else []
            ends += [log] if recipe is whole else []
    start = flat(initial)
    # of the way that the weights have gone: what they began with says nothing
    far = float((weights[1] - weights[0]).norm() / (weights[0] - start).norm())
    accuracy, loss = abs(ends[1].accuracy - ends[0].accuracy), abs(ends[1].loss - ends[0].loss)
    title = "training of lenet on digits"
    report.ratios += [
        Ratio(
            title, f"difference of weights over their way, {FIRST_STEPS} steps", far, 0.0, f"at most {WEIGHTS:g}", far <= WEIGHTS
        ),
        Ratio(
            title, f"difference of the accuracy, {whole.epochs} epochs", accuracy, 0.0, f"at most {ACCURACY:g}",
            accuracy <= ACCURACY,
        ),
        Ratio(title, f"difference of the loss, {whole.epochs} epochs", loss, 0.0, f"at most {LOSS:g}", loss <= LOSS),
    ]  # fmt: skip


def trained(network: nn.Module, pixels: Tensor, labels: Tensor, recipe: Recipe, device: torch.device) -> EpochLog:
    """Train in place, and give the log of the last epoch."""
    mean, std = torch.full((1, 1, 1), 0.3), torch.full((1, 1, 1), 0.3)
    return train(network, pixels, labels, recipe, mean=mean, std=std, device=device, seed=0).epochs[-1]


def flat(network: nn.Module) -> Tensor:
    """All weights as one vector, on the CPU in float64."""
    return torch.cat([parameter.detach().cpu().double().flatten() for parameter in network.parameters()])
