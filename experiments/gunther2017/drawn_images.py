"""Images as both galleries draw them: in whole grey levels, classified again, and kept as columns of a row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.data.exact_division import divisor
from advlab.lab import NetworkContext
from advlab.plotting.pixels import encode


def grey_levels(image: Tensor) -> Tensor:
    """An image in [0, 1] rounded to the 256 grey levels as which it is drawn, still in [0, 1]."""
    return (image * 255).round() / divisor(255, image)


def class_probabilities(ctx: NetworkContext, image: Tensor) -> Tensor:
    """(K,) softmax of the network's logits of one image (1, C, H, W), in float64 on the CPU."""
    with torch.inference_mode():
        return torch.softmax(ctx.forward(image).cpu().double(), 1)[0]


def image_columns(image: Tensor) -> dict[str, Any]:
    """An image (1, C, H, W) of whole grey levels in [0, 1], as the columns of a row."""
    _, channels, height, width = image.shape
    pixels = encode((image[0] * 255).round().byte().cpu().numpy())
    return {"channels": channels, "height": height, "width": width, "pixels": pixels}
