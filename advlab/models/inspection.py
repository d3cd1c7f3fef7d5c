"""What a network gives for two images: checked once, before anything is measured with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.errors import ModelError


class Inspection(NamedTuple):
    """What one forward pass tells about a network.

    Attributes:
        classes: number of logits.
        head: name of the classification layer, the last linear or convolutional module called that gives `classes`
            channels, or else the last one called; empty when there is none.
        writes_to_input: whether the network changes its input in place.
        behaviour: the first logits of one fixed image, rounded: tells networks apart that differ in their code alone.
    """

    classes: int
    head: str
    writes_to_input: bool
    behaviour: list[str]


def inspect_network(
    call: Callable[[Tensor], object], network: nn.Module, *, name: str, shape: Shape, classes: int
) -> Inspection:
    """Checks that a network takes images of a shape and gives logits, by one forward pass on two random images.

    Args:
        call: images in [0, 1] to logits, in evaluation mode and without gradients.
        network: the module behind `call`.
        name: of the network, for messages.
        shape: (C, H, W) of the images.
        classes: number of logits that is declared; 0: none is.

    Raises:
        ModelError: the network does not take such images, does not give (N, classes) logits, or gives probabilities.
    """
    x = torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))
    before, writes_before = x.clone(), write_count(x)
    widths = {
        layer: module.out_features if isinstance(module, nn.Linear) else module.out_channels
        for layer, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    called: list[str] = []
    handles = [
        network.get_submodule(layer).register_forward_hook(lambda _, __, ___, layer=layer: called.append(layer))
        for layer in widths
    ]
    size = "x".join(map(str, shape))
    try:
        logits = call(x)
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
        raise ModelError(
            f"{name} does not take images of {size}: {error}. Give their size by model.input=[C,H,W], "
            "dataset.size=... and dataset.channels=..., or input_shape where a plug-in registers it"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    logits = _checked_logits(logits, name=name, size=size, classes=classes)
    heads = [layer for layer in called if widths[layer] == logits.shape[1]] or called
    return Inspection(
        classes=int(logits.shape[1]),
        head=heads[-1] if heads else "",
        writes_to_input=write_count(x) != writes_before or not torch.equal(x, before),
        behaviour=behaviour_of(logits),
    )


def behaviour_of(logits: Tensor) -> list[str]:
    """The first logits (n, K) of the first image, rounded: tells networks apart that differ in their code alone."""
    return [f"{value:.2e}" for value in logits[0, :16].tolist()]


def _checked_logits(logits: object, *, name: str, size: str, classes: int) -> Tensor:
    """The logits of two images, refused if they are none."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != 2 or logits.shape[1] < 2:
        what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(
            f"{name} must give logits of shape (N, classes), at least 2 classes; it gives {what} for 2 images of {size}"
        )
    if classes and logits.shape[1] != classes:
        raise ModelError(f"{name} gives {logits.shape[1]} logits, {classes} are declared")
    sums = logits.double().sum(1)
    if bool((logits >= 0).all()) and torch.allclose(sums, torch.ones(2, dtype=torch.float64), atol=1e-4):
        raise ModelError(f"{name} gives probabilities; logits are needed: take away its final softmax")
    return logits


def write_count(x: Tensor) -> int:
    """How often x, or a view of it, was written to in place; 0 for a tensor of inference mode, which keeps no count."""
    return 0 if x.is_inference() else x._version
