"""Images as columns of rows of which few hold one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from advlab.plotting.pixels import encode


def image_columns(image: Tensor, *, kept: bool) -> dict[str, Any]:
    """An image (1, C, H, W) in [0, 1], cut to that range and rounded to grey levels; its `pixels` are empty unless `kept`."""
    _, channels, height, width = image.shape
    grey = (image[0].clamp(0, 1) * 255).round().byte()
    return {
        "channels": channels, "height": height, "width": width, "pixels": encode(grey.cpu().numpy()) if kept else "",
    }  # fmt: skip
