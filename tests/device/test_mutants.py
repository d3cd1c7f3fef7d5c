"""Faults that only a second device shows, put into the package one at a time: what runs on the device notices each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.attacks import FGS, DeepFool
from advlab.attacks.boundary.deepfool.algorithm import BatchedDeepFool
from advlab.attacks.checks import check_inputs
from advlab.data.images import ImageData
from advlab.defenses import Shift
from advlab.defenses.transforms import randomised
from advlab.lab import kept_neighbourhood
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.models.networks.lenet import LeNet
from advlab.probes import selection, sweep
from advlab.probes.draws import Draws
from advlab.training import loop
from advlab.training.recipe import Recipe
from tests.helpers.images import random_images
from tests.helpers.mutants import mutated
from tests.helpers.networks import make_network

SHAPE = (2, 5, 9)
CUDA = torch.device("cuda")


def forwards(precision: str = "float32") -> Forward:
    classifier = Classifier(make_network(SHAPE).float(), name="toy", shape=SHAPE, mean=None, std=None)
    return Forward(classifier.to(CUDA), Execution(64, "contiguous", precision))


def experiment(name: str, **options: Any) -> pd.DataFrame:
    probe = {"probe.radii": [0.1, 1], "probe.trials": 8, "probe.samples": 2, "probe.confidence": 0.0}
    forward, data = forwards(), random_images(6, SHAPE)
    labels = forward(data.to(CUDA).images(torch.arange(6))).argmax(1).cpu()
    data = replace(data, labels=labels, classes=("a", "b", "c", "d"))
    return testing.measured(testing.context(name, forward, data, options={**probe, **options}))


def training() -> None:
    images = torch.zeros((4, 1, 28, 28), dtype=torch.uint8)
    recipe = Recipe(name="t", epochs=1, batch_size=2, augment=["flip"])
    network, labels = LeNet(input_shape=(1, 28, 28), classes=10), torch.zeros(4)
    loop.train(network, images, labels, recipe, mean=torch.zeros(1, 1, 1), std=torch.ones(1, 1, 1), device=CUDA, seed=0)


def attacked(attack: Any) -> None:
    network, x = make_network(SHAPE).float().to(CUDA), torch.rand((3, *SHAPE), device=CUDA)
    attack(network, x, network(x).argmax(1).cpu())


def pixels_in_memory() -> None:
    data = random_images(3, SHAPE)
    on_device = ImageData("toy", "test", data.classes, data.labels.to(CUDA), SHAPE, "", data.pixels)
    on_device.images(torch.tensor([0, 1], device=CUDA))


def bfloat16() -> None:
    x = torch.rand((3, *SHAPE), device=CUDA)
    assert (forwards()(x) - forwards("bf16")(x)).abs().max() > 1e-4, "bfloat16 was not used"


def shifted() -> Tensor:
    return Shift()(nn.Identity().to(CUDA))(torch.rand((3, *SHAPE), device=CUDA))


Check = Callable[[], object]
MUTANTS: dict[str, tuple[Check, Callable[..., Any], str, str]] = {
    "a buffer is made on the CPU": (
        lambda: experiment("isotropy"),
        sweep.sphere_batches,
        "else 0, *shape), device=images.device)",
        "else 0, *shape))",
    ),
    "the radii stay on the CPU": (
        lambda: experiment("isotropy"),
        sweep.sphere_batches,
        ".to(images.device).repeat",
        ".repeat",
    ),
    "numpy without a copy to the CPU": (
        lambda: experiment("isotropy"),
        selection.predict,
        "is_correct.cpu().numpy()",
        "is_correct.numpy()",
    ),
    "an artifact without a copy to the CPU": (
        lambda: experiment("topology"),
        kept_neighbourhood.neighbourhood_of,
        ".cpu().numpy()",
        ".numpy()",
    ),
    "an index of the device into a table of the CPU": (
        pixels_in_memory,
        ImageData.images,
        "indices.to(self.pixels.device)",
        "indices",
    ),
    "the noise's generator is the CPU's": (
        lambda: experiment("isotropy"),
        Draws.__init__,
        "torch.Generator(device)",
        "torch.Generator()",
    ),
    "the augmentation's generator is the CPU's": (
        training,
        loop.train,
        "torch.Generator(device=device)",
        "torch.Generator()",
    ),
    "the labels of a training stay on the CPU": (
        training,
        loop.train,
        "labels.to(device=device, dtype=torch.int64)",
        "labels.to(dtype=torch.int64)",
    ),
    "the normalisation of a training stays on the CPU": (training, loop.train, "mean=mean.to(device)", "mean=mean"),
    "the labels of an attack stay on the CPU": (
        lambda: attacked(FGS()),
        check_inputs,
        "y = labels.to(device=x.device, dtype=torch.int64)",
        "y = labels.to(dtype=torch.int64)",
    ),
    "an attack keeps its status on the CPU": (
        lambda: attacked(DeepFool()),
        BatchedDeepFool.__init__,
        "torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64, device=x.device)",
        "torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64)",
    ),
    "the positions of a defense are the CPU's": (
        shifted,
        randomised.shifted,
        "torch.arange(height, device=x.device)",
        "torch.arange(height)",
    ),
    "bfloat16 of the CPU": (
        bfloat16,
        Forward.autocast,
        "torch.autocast(self.classifier.device.type,",
        'torch.autocast("cpu",',
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_dies(name: str, cuda: torch.device) -> None:
    check, function, old, new = MUTANTS[name]
    check()
    with mutated(function, old, new), pytest.raises((RuntimeError, TypeError, AssertionError)):
        check()
    check()
