"""Crops of a padded or enlarged image, whose outputs are averaged."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.separable import along_both_axes
from advlab.defenses.transforms.stage import LogitsFunction, Stage, refuse_larger

Average = Literal["logits", "probabilities"]
Offset = tuple[float, float]


class AveragedCrops(Stage):
    """The mean over crops of what the network makes of each; a random stage behind it draws alike for all crops of an image.

    The crops pass the network one after the other, so that without gradients no more memory is taken than by one.
    """

    def __init__(self, average: Average) -> None:
        super().__init__()
        self.average = average

    @abstractmethod
    def crops(self, x: Tensor) -> Sequence[Tensor]:
        """The crops, (n, C, H, W) each."""

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`; of averaged probabilities their logarithms."""
        with torch.autocast(x.device.type, enabled=False):
            crops = self.crops(x)
        if self.average == "logits":
            return sum((network(crop) for crop in crops[1:]), network(crops[0])) / len(crops)
        each = torch.stack([network(crop).log_softmax(1) for crop in crops])
        return each.logsumexp(0) - math.log(len(crops))


class PaddedCrops(AveragedCrops):
    """Crops as large as the image, moved by offsets (down, right) in pixels; what lies beyond the image is black.

    Between pixels the crop is interpolated linearly along each axis.
    """

    def __init__(self, offsets: Sequence[Offset], bounds: tuple[float, float], average: Average) -> None:
        super().__init__(average)
        self.offsets, self.black = tuple(offsets), bounds[0]
        self.farthest = max(abs(way) for offset in offsets for way in offset)
        self.margin = math.ceil(self.farthest) + 1

    def crops(self, x: Tensor) -> Sequence[Tensor]:
        """See `AveragedCrops.crops`.

        Raises:
            ArgumentError: a crop would show nothing of the image.
        """
        margin, (height, width) = self.margin, x.shape[2:]
        most, fault = min(height, width) - 1, "of which a crop that far away would show nothing"
        refuse_larger("crops: pad (of a grid: half of it times spacing)", self.farthest, x, most, fault)
        padded = pad(x, (margin, margin, margin, margin), value=self.black)
        rows: dict[float, Tensor] = {}
        crops = []
        for down, right in self.offsets:
            if down not in rows:
                rows[down] = moved(padded, 2, margin + down, height)
            crops.append(moved(rows[down], 3, margin + right, width))
        return crops


class RescaledCrops(AveragedCrops):
    """Four corners and the centre of the image enlarged by `pixels` on each side."""

    def __init__(self, pixels: int, average: Average) -> None:
        super().__init__(average)
        self.pixels = pixels

    def crops(self, x: Tensor) -> Sequence[Tensor]:
        """See `AveragedCrops.crops`.

        Raises:
            ArgumentError: the crops in the corners would not meet the one in the centre.
        """
        height, width = x.shape[2:]
        most = min(height, width) - 1
        refuse_larger(
            "rescale_crops: pixels", self.pixels, x, most, "whose crops in the corners would not meet the centre's"
        )
        rows, columns = (enlarged_rows(side, self.pixels) for side in (height, width))
        return [
            along_both_axes(x, rows[place], columns[other]) for place, other in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))
        ]


def moved(x: Tensor, axis: int, first: float, length: int) -> Tensor:
    """`length` values along an axis from position `first` on, linear between the pixels; whole positions are pixels to the bit."""
    whole = math.floor(first)
    share = first - whole
    near = x.narrow(axis, whole, length)
    return near if not share else near * (1 - share) + x.narrow(axis, whole + 1, length) * share


@functools.lru_cache(maxsize=64)
def enlarged_rows(length: int, pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Three (length, length) float64 matrices: begin, middle and end of a signal enlarged to length + 2 pixels, linearly.

    >>> [matrix.shape for matrix in enlarged_rows(4, 1)][0]
    torch.Size([4, 4])
    """
    with torch.inference_mode(False):
        impulses = torch.eye(length, dtype=torch.float64)[None]
        enlarged = torch.nn.functional.interpolate(impulses, length + 2 * pixels, mode="linear")[0].T
        begin, middle, end = (enlarged[place : place + length].contiguous() for place in (0, pixels, 2 * pixels))
    return begin, middle, end
