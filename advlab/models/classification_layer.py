"""Which layer of a network gives its logits: the one whose input is the features that `auto` names."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, jit, nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Use:
    """One use of a module that holds weights, in the order in which uses end.

    Attributes:
        name, module: the module's.
        entered, left: shapes of its first tensor and of its output; None where that is no tensor.
    """

    name: str
    module: nn.Module
    entered: Shape | None
    left: Shape | None


def first_input(args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    """What a module is called with first, by place or by keyword; tensors before anything else."""
    values = [*args, *kwargs.values()]
    return next((value for value in values if isinstance(value, Tensor)), values[0] if values else None)


@contextlib.contextmanager
def recorded_uses(network: nn.Module) -> Iterator[list[Use]]:
    """The uses of the linear and convolutional modules of a network, and of others with a matrix of weights of their own,
    filled by a forward pass in the block. Modules scripted by torch.jit cannot be watched."""
    uses: list[Use] = []

    def record(
        name: str, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object
    ) -> None:
        entered = first_input(args, kwargs)
        shapes = [tuple(value.shape) if isinstance(value, Tensor) else None for value in (entered, output)]
        uses.append(Use(name, module, *shapes))

    with contextlib.ExitStack() as hooks:
        for name, module in network.named_modules():
            if name and not isinstance(module, jit.ScriptModule) and (is_linear(module) or owns_matrix(module)):
                handle = module.register_forward_hook(
                    lambda m, args, kwargs, output, name=name: record(name, m, args, kwargs, output), with_kwargs=True
                )
                hooks.callback(handle.remove)
        yield uses


def classification_layer(uses: list[Use], network: nn.Module, *, classes: int, image: Shape) -> str:
    """Name of the layer that gives the logits; empty where none is seen to.

    It is the last used one that is linear or convolutional and gives `classes` channels, or that has a matrix of weights of
    its own (a cosine head, distances to prototypes) and makes `classes` numbers of an image's features. Without such a
    layer it is the last linear or convolutional one, unless the network computes with a matrix that belongs to no layer: then
    that may be the classification, and there is no telling.

    Args:
        uses: of a forward pass of two images.
        network: whose they are.
        classes: number of logits.
        image: (C, H, W), which are no features.
    """
    for use in reversed(uses):
        if is_linear(use.module):
            if width(use.module) == classes:
                return use.name
        elif use.left == (2, classes) and use.entered is not None and use.entered not in ((2,), (2, *image)):
            return use.name
    linear = [use.name for use in uses if is_linear(use.module)]
    free_matrix = any(owns_matrix(module, 2) for module in network.modules() if not is_linear(module))
    return linear[-1] if linear and not free_matrix else ""


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a fully connected or a two-dimensional convolutional layer."""
    return isinstance(module, nn.Linear | nn.Conv2d)


def width(module: nn.Module) -> int:
    """Number of channels that a linear or convolutional layer gives."""
    return int(module.out_features if isinstance(module, nn.Linear) else module.out_channels)  # type: ignore[arg-type]


def owns_matrix(module: nn.Module, most_dimensions: int = 8) -> bool:
    """Whether a module has floating weights of at least two dimensions that belong to none of its children."""
    if isinstance(module, jit.ScriptModule):
        return False
    plain = (value for value in vars(module).values() if isinstance(value, Tensor))
    own = itertools.chain(module.parameters(recurse=False), module.buffers(recurse=False), plain)
    return any(tensor.is_floating_point() and 2 <= tensor.ndim <= most_dimensions for tensor in own)
