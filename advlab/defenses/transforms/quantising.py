"""Stages that lose information about pixels: two levels, and JPEG."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from advlab.data.exact_division import divisor
from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform

COLOURS = 3  # channels of an image that is encoded as one; any other number is encoded channel by channel, in grey


class Binarisation(ImageTransform):
    """White where a pixel is at least `threshold`, a share of the bounds' length; otherwise black."""

    differentiable = False

    def __init__(self, threshold: float, bounds: tuple[float, float]) -> None:
        super().__init__()
        self.threshold, self.bounds = threshold, bounds

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        low, high = self.bounds
        white = x >= low + self.threshold * (high - low)
        return torch.where(white, x.new_full((), high), x.new_full((), low))


class JpegCoding(ImageTransform):
    """Images rounded to whole grey levels, encoded by Pillow as JPEG, and decoded; on the CPU, one at a time."""

    differentiable = False

    def __init__(self, quality: int, bounds: tuple[float, float]) -> None:
        super().__init__()
        self.quality, self.bounds = quality, bounds

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        low, high = self.bounds
        levels = x.clamp(low, high).sub(low).mul(255 / (high - low)).round().to(torch.uint8).cpu()
        pictures = levels.movedim(1, -1) if levels.shape[1] == COLOURS else levels.flatten(0, 1)
        coded = np.stack([coded_picture(picture, self.quality) for picture in pictures.numpy()])
        decoded = torch.from_numpy(coded).to(device=x.device, dtype=x.dtype)
        decoded = decoded.movedim(-1, 1) if levels.shape[1] == COLOURS else decoded.view(x.shape)
        return decoded.contiguous().mul_(high - low).div_(divisor(255, decoded)).add_(low)


def coded_picture(picture: np.ndarray, quality: int) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) after JPEG of a quality (1 to 100), chroma at half the resolution as Pillow's default."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file))
