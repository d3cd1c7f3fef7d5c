"""Images as both galleries draw them: in whole grey levels, classified again, and kept as columns of a row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.data.exact_division import divisor
from advlab.lab import NetworkContext
from advlab.models.forward import Forward
from advlab.plotting.pixels import encode

from .gallery_verdict import UNKNOWN


def grey_levels(image: Tensor) -> Tensor:
    """An image in [0, 1] rounded to the 256 grey levels as which it is drawn, still in [0, 1]."""
    return (image * 255).round() / divisor(255, image)


def class_probabilities(ctx: NetworkContext, image: Tensor, network: Forward | None = None) -> Tensor:
    """(K,) softmax of a network's logits of one image (1, C, H, W), in float64 on the CPU; without `network` of the run's."""
    with torch.inference_mode():
        return torch.softmax((network or ctx.forward)(image).cpu().double(), 1)[0]


def verdict_columns(ctx: NetworkContext, image: Tensor) -> dict[str, Any]:
    """What a defense makes of one image (1, C, H, W) as it is drawn: the one of `verdicts`, or the run's own if it rejects.

    Args:
        ctx: of a gallery.
        image: in whole grey levels.
    """
    classes, settings = len(ctx.data.classes), ctx.settings
    name, network = settings.choice_name("defense"), ctx.forward
    if listed := ctx.listed("verdicts"):
        ((name, defense),) = listed.items()
        network = ctx.defended(defense)
    probabilities = class_probabilities(ctx, image, network)
    if network is ctx.forward and len(probabilities) <= classes:
        return {}
    found = int(probabilities.argmax())
    return {
        "verdict": name, "verdict_class": found, "verdict_probability": float(probabilities[found]),
        "verdict_name": UNKNOWN if found >= classes else ctx.data.class_name(found),
    }  # fmt: skip


def image_columns(image: Tensor) -> dict[str, Any]:
    """An image (1, C, H, W) of whole grey levels in [0, 1], as the columns of a row."""
    _, channels, height, width = image.shape
    pixels = encode((image[0] * 255).round().byte().cpu().numpy())
    return {"channels": channels, "height": height, "width": width, "pixels": pixels}
