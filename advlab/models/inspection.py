"""What a network gives for two images: checked once, before anything is measured with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from advlab.data.content import Shape
from advlab.errors import ModelError
from advlab.models.classification_layer import classification_layer, recorded_uses

#: what networks raise for images that they do not take
REFUSALS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError, NotImplementedError)


class Inspection(NamedTuple):
    """What one forward pass tells about a network.

    Attributes:
        classes: number of logits.
        head: name of the classification layer (see `classification_layer`); empty when there is none.
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
    try:
        with recorded_uses(network) as uses:
            output = call(x)
    except REFUSALS as error:
        raise misfit(name, shape, error) from error
    logits = _checked_logits(output, name=name, size=size_text(shape), classes=classes)
    return Inspection(
        classes=int(logits.shape[1]),
        head=classification_layer(uses, network, classes=int(logits.shape[1]), image=shape),
        writes_to_input=write_count(x) != writes_before or not torch.equal(x, before),
        behaviour=behaviour_of(logits),
    )


def materialise(network: nn.Module, *, name: str, shape: Shape) -> None:
    """Let lazy layers take their sizes from a forward of two images; they draw their weights now. Others do nothing.

    Raises:
        ModelError: the network does not take such images.
    """
    lazy = (UninitializedParameter, UninitializedBuffer)
    if not any(isinstance(weights, lazy) for weights in (*network.parameters(), *network.buffers())):
        return
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            network(torch.rand((2, *shape), generator=torch.Generator().manual_seed(0)))
    except REFUSALS as error:
        raise misfit(name, shape, error) from error
    finally:
        for module, mode in modes:
            module.training = mode


def uncompiled(network: nn.Module) -> nn.Module:
    """The network without torch.compile, whose finished graphs pass over what watches a layer later on.

    >>> net = nn.Sequential(torch.compile(nn.ReLU()), nn.Flatten())
    >>> uncompiled(net)
    Sequential(
      (0): ReLU()
      (1): Flatten(start_dim=1, end_dim=-1)
    )
    """
    network = getattr(network, "_orig_mod", network)
    for module in list(network.modules()):
        module._compiled_call_impl = None  # of nn.Module.compile()
        for name, child in module.named_children():
            original = getattr(child, "_orig_mod", child)
            if original is not child:
                module._modules[name] = original
    return network


def misfit(name: str, shape: Shape, error: Exception, count: str = "") -> ModelError:
    """What is said of a network that does not take images of a shape (C, H, W).

    Args:
        name: of the network.
        shape: of the images.
        error: that it raised.
        count: of the images, where it has taken two of them before.
    """
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    remedy = (
        "Give their size by model.input=[C,H,W], dataset.size=... and dataset.channels=..., or input_shape where a plug-in "
        "registers it"
    )
    if "same device" in said:
        remedy = "Let it hold its tensors as parameters or buffers (register_buffer), which follow it to a device"
    elif "dtype" in said or "should be the same" in said:
        remedy = "Let its forward convert what it hands from a layer of one precision to one of another"
    elif count:
        remedy = "It takes two of them: let it take any number of images, of any values in [0, 1]"
    return ModelError(f"{name} does not take {count}images of {size_text(shape)}: {said}. {remedy}")


def size_text(shape: Shape) -> str:
    """`3x32x32`."""
    return "x".join(map(str, shape))


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
    if not logits.is_floating_point():
        raise ModelError(f"{name} must give logits, floating numbers; it gives {logits.dtype}")
    if classes and logits.shape[1] != classes:
        raise ModelError(
            f"{name} gives {logits.shape[1]} logits, {classes} are declared, or stand in the labels, which count from 0"
        )
    sums = logits.double().sum(1)
    if bool((logits >= 0).all()) and torch.allclose(sums, torch.ones(2, dtype=torch.float64), atol=1e-4):
        raise ModelError(
            f"{name} gives probabilities; logits are needed: take away its final softmax, or let it return their logarithm, which "
            "has the same softmax"
        )
    return logits


def write_count(x: Tensor) -> int:
    """How often x, or a view of it, was written to in place; 0 for a tensor of inference mode, which keeps no count."""
    return 0 if x.is_inference() else x._version
