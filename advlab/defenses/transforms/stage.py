"""A stage of a defended network: from images to logits, given the stages and the network behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from advlab.defenses.draws import Draw
from advlab.errors import ArgumentError

LogitsFunction = Callable[[Tensor], Tensor]


class Stage(nn.Module, ABC):
    """What one defense does to a batch.

    Attributes:
        differentiable, random, rejects: as `Defense` says.
    """

    differentiable: bool = True
    random: bool = False
    rejects: bool = False

    @abstractmethod
    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """(n, K) logits of (n, C, H, W) images.

        Args:
            x: images.
            draw: of each image, where the stage is random.
            network: the stages and the network behind this stage.
        """


class ImageTransform(Stage):
    """A stage that changes the images: (n, C, H, W) to (n, C, H, W).

    It works in the images' own precision, not below float32 under autocast: that is of the network alone, since in bfloat16
    pixels would leave their grey levels.
    """

    @abstractmethod
    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """The images changed; not differentiated where the stage is not differentiable."""

    def forward(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """The images changed; backwards the gradient of `transform`, or that of the identity (see `straight_through`)."""
        device = x.device.type
        if torch.is_autocast_enabled(device) and x.dtype != torch.float64:
            x = x.float()
        with torch.autocast(device, enabled=False):
            if self.differentiable:
                return self.transform(x, draw)
            with torch.no_grad():
                changed = self.transform(x.detach(), draw)
            return straight_through(x, changed) if torch.is_grad_enabled() else changed

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`."""
        return network(self(x, draw))


def refuse_larger(name: str, value: float, x: Tensor, most: int, fault: str) -> None:
    """Refuse a length in pixels that images (n, C, H, W) are too small for.

    Args:
        name: of the defense and its option, `shift: pixels`.
        value: of the option.
        x: images.
        most: that it can be.
        fault: what a larger one does to such images.

    Raises:
        ArgumentError: it is larger; names the size of the images and the largest value.
    """
    if value > most:
        height, width = x.shape[2:]
        remedy = f"take at most {most}" if most else "take larger images, or leave it out"
        raise ArgumentError(f"{name}={value:g} is too large for images of {height} x {width} pixels, {fault}: {remedy}")


def straight_through(x: Tensor, changed: Tensor) -> Tensor:
    """`changed`, to the bit, with the gradient of the identity with respect to `x` (BPDA, Athalye et al. 2018, section 4.1).

    >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
    >>> rounded = straight_through(x, x.detach().round())
    >>> rounded.tolist(), torch.autograd.grad(rounded.sum(), x)[0].tolist()
    ([0.0, 1.0], [1.0, 1.0])
    """
    return changed.detach() + (x - x.detach())
