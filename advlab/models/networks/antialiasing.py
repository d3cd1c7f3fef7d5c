"""Networks whose maps are blurred before each down-sampling, so that little is left there to alias (gunther2017, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.errors import ArgumentError

AUTO = "auto"


class GaussianBlur(nn.Module):
    """Each map of (N, C, H, W) convolved with a fixed Gaussian, zeros outside: a depthwise convolution that is not learned.

    The kernel reaches 3 sigma, rounded up, to each side (9x9 for the paper's 1.25) and adds up to 1. It is applied to rows and
    columns as products with banded matrices, which is twice as fast as the depthwise convolution on a CPU.

    Args:
        sigma: standard deviation in pixels, above 0.
    """

    kernel: Tensor

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma
        radius = math.ceil(3 * sigma)
        weights = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))
        self.register_buffer("kernel", (weights / weights.sum()).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x.

        Raises ArgumentError when x is no batch of maps.
        """
        if x.ndim != 4:
            raise ArgumentError(f"only maps (N, C, H, W) can be blurred, not {tuple(x.shape)}: name other blur_layers")
        rows = F.linear(x, self.matrix(x.shape[3])).mT
        return F.linear(rows, self.matrix(x.shape[2])).mT

    def matrix(self, length: int) -> Tensor:
        """(length, length): what the blur does to one row or column of a map; symmetric."""
        positions = torch.arange(length, device=self.kernel.device)
        steps = positions - positions[:, None]
        radius = len(self.kernel) // 2
        return self.kernel[(steps + radius).clamp(0, 2 * radius)] * (steps.abs() <= radius)

    def extra_repr(self) -> str:
        """It tells blurred networks apart: the kernel is not among the weights."""
        return f"sigma={self.sigma:g}"


class BlurredInput(nn.Module):
    """A layer behind a blur: max-pooling, average pooling or a convolution with a stride."""

    def __init__(self, layer: nn.Module, sigma: float) -> None:
        super().__init__()
        self.blur = GaussianBlur(sigma)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output on the blurred x."""
        output: Tensor = self.layer(self.blur(x))
        return output


def stride_of(layer: nn.Module) -> tuple[int, int]:
    """By how much a layer samples down, vertically and horizontally; (1, 1) of layers that do not."""
    if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.Conv2d):
        return 1, 1
    stride = layer.stride
    return (stride, stride) if isinstance(stride, int) else (int(stride[0]), int(stride[1]))


def downsampling_layers(network: nn.Module, layers: Sequence[str] = (AUTO,)) -> list[str]:
    """Names of the modules that sample down: those that are named, or every one in the order of the network's modules.

    Args:
        network: any.
        layers: names of modules; ["auto"]: all max-pooling, average pooling and convolutions with a stride above 1.

    Raises:
        ArgumentError: a name is no module or does not sample down, or there is none.

    >>> downsampling_layers(nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, stride=2)))
    ['1', '2']
    """
    found = [name for name, module in network.named_modules() if max(stride_of(module)) > 1]
    if not found:
        raise ArgumentError(f"{type(network).__name__} has no pooling and no convolution with a stride to blur before")
    if list(layers) == [AUTO]:
        return found
    if not layers:
        raise ArgumentError(f"name at least one layer to blur before: {', '.join(found)}, or auto for all")
    for name in layers:
        if name not in found:
            raise ArgumentError(f"{name!r} is no layer that samples down: there are {', '.join(found)}")
    return [name for name in found if name in layers]


def blur_before(network: nn.Module, sigma: float, layers: Sequence[str] = (AUTO,)) -> nn.Module:
    """The network itself, with a blur before each of its layers that sample down; its weights are left as they are.

    Args:
        network: changed in place: the layer NAME becomes NAME.layer, behind NAME.blur.
        sigma: of the blur, in pixels of the layer's input.
        layers: see `downsampling_layers`.

    Raises:
        ArgumentError: see `downsampling_layers`.
    """
    for name in downsampling_layers(network, layers):
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, BlurredInput(network.get_submodule(name), sigma))
    return network
