"""The classes that a network gives images: as they are, or transformed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from advlab.data.images import ImageData
from advlab.lab import NetworkContext
from advlab.models.forward import Forward

TRANSFORMED_TOGETHER = 500  # images; a number of its own, so that results do not depend on the batch size


def predicted(network: Forward, x: Tensor) -> Tensor:
    """(n,) classes that a network gives images (n, C, H, W)."""
    with torch.inference_mode():
        classes = network(x).argmax(1)
    return classes.clone()  # an attack may differentiate what is computed with it


def predictions(
    ctx: NetworkContext,
    images: ImageData,
    samples: Sequence[int],
    transform: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """(n,) classes by the run's network of images as they are, or transformed, and (n,) true classes, on the CPU."""
    chosen = torch.tensor(list(samples))
    found = []
    with torch.inference_mode():
        for part in chosen.split(TRANSFORMED_TOGETHER):
            x = images.images(part)
            found.append(ctx.forward(x if transform is None else transform(x)).argmax(1).cpu())
    return torch.cat(found), images.labels[chosen.to(images.device)].cpu()
