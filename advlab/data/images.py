"""The dataset contract: images as float [0, 1] on request, kept as uint8 or float32 on the device, or streamed from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from advlab.data.content import Arrays, Shape
from advlab.data.decode import decode_all
from advlab.data.exact_division import divisor
from advlab.data.remarks import Remark
from advlab.errors import DataError


@dataclass(frozen=True)
class FilePixels:
    """Images that are decoded from their files whenever they are asked for; `advlab.data.ahead` decodes them ahead."""

    paths: Sequence[Path]
    decode: Callable[[Path], Tensor]  # gives (C, H, W) uint8
    image_shape: Shape  # (C, H, W)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return decode_all([self.paths[i] for i in indices.tolist()], self.decode)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as a tensor of all images would have it."""
        return (len(self.paths), *self.image_shape)


@dataclass(frozen=True)
class ImageData:
    """One split of a dataset.

    Attributes:
        name: as in the output path and in the seeds of the noise.
        split: which split.
        classes: class names in the order of the labels.
        labels: (N,) int64.
        shape: (C, H, W) of every image.
        digest: of the content (pixels or files, labels, preprocessing).
        pixels: (N, C, H, W) uint8, or float32 in [0, 1] where they are no whole grey levels, or the files they come from.
        remarks: what is unusual about them.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    labels: Tensor
    shape: Shape
    digest: str
    pixels: Tensor | FilePixels
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts belong together.

        Raises:
            DataError: counts, types or labels do not fit.
        """
        if len(self.pixels) != len(self.labels):
            raise DataError(f"{self.name}: {len(self.pixels)} images but {len(self.labels)} labels")
        if len(self.labels) == 0:
            raise DataError(f"{self.name}: the split {self.split!r} holds no images")
        if isinstance(self.pixels, Tensor) and (
            self.pixels.dtype not in (torch.uint8, torch.float32) or tuple(self.pixels.shape[1:]) != self.shape
        ):
            raise DataError(
                f"{self.name}: the pixels must be uint8 of shape (N, {', '.join(map(str, self.shape))}), or float32, "
                f"got {self.pixels.dtype} {tuple(self.pixels.shape)}"
            )
        if int(self.labels.min()) < 0 or int(self.labels.max()) >= len(self.classes):
            raise DataError(f"{self.name}: a label lies outside of the {len(self.classes)} classes")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Where the images arrive."""
        return self.labels.device

    def class_name(self, prediction: int) -> str:
        """The name of a class; `rejected` for the output behind the last class, by which a network rejects an image."""
        return self.classes[prediction] if prediction < len(self.classes) else "rejected"

    def bytes(self, indices: Tensor) -> Tensor:
        """(n, C, H, W) uint8 images of the given (n,) indices, on the device; those between grey levels are rounded.

        Raises:
            DataError: a file is corrupt (named).
        """
        if isinstance(self.pixels, Tensor):
            return eight_bit(self.pixels[indices.to(self.pixels.device)]).to(self.device)
        if not len(indices):
            return torch.empty((0, *self.shape), dtype=torch.uint8, device=self.device)
        return self.pixels[indices].to(self.device)

    def images(self, indices: Tensor) -> Tensor:
        """(n, C, H, W) float32 images in [0, 1] of the given (n,) indices, on the device."""
        if isinstance(self.pixels, Tensor):
            return unit_interval(self.pixels[indices.to(self.pixels.device)].to(self.device))
        return unit_interval(self.bytes(indices))

    def images_and_labels(self, samples: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(n, C, H, W) float32 images in [0, 1] and (n,) labels of the given n indices, on the device."""
        indices = torch.tensor(samples, dtype=torch.int64)
        return self.images(indices), self.labels[indices.to(self.device)]

    def mean_image(self, batch: int = 1000, indices: Tensor | None = None) -> Tensor:
        """(C, H, W) float64 per-pixel mean, in [0, 1], on the CPU (not every device has float64).

        Args:
            batch: images that are summed at once.
            indices: (n,) of the images that it is over; None: the split.
        """
        chosen = torch.arange(len(self)) if indices is None else indices
        if isinstance(self.pixels, Tensor) and self.pixels.is_floating_point():
            some = self.pixels if indices is None else self.pixels[indices.to(self.pixels.device)]
            return some.cpu().double().mean(0)
        total = torch.zeros(self.shape, dtype=torch.int64, device=self.device)
        for part in chosen.split(batch):
            total += self.bytes(part).sum(0, dtype=torch.int64)
        return total.cpu().double() / (255 * len(chosen))

    def to(self, device: torch.device) -> ImageData:
        """The same data with its labels, and its pixels when they fit in a quarter of the free memory, on `device`."""
        pixels = self.pixels
        if isinstance(pixels, Tensor) and device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            pixels = pixels.to(device) if pixels.nbytes <= free // 4 else pixels
        elif isinstance(pixels, Tensor) and device.type != "cpu":
            pixels = pixels.to(device)
        return replace(self, labels=self.labels.to(device), pixels=pixels)


def data_from_arrays(name: str, split: str, arrays: Arrays) -> ImageData:
    """`ImageData` of arrays, resized to the shape that is wanted."""
    # copies: torch takes neither negative strides nor read-only arrays
    values = np.asarray(arrays.pixels)
    tensor = torch.from_numpy(np.array(values, dtype=np.float32 if values.dtype.kind == "f" else np.uint8))
    tensor = tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
    tensor = resized(tensor, arrays.shape)
    labels = torch.from_numpy(np.array(arrays.labels, dtype=np.int64))
    shape = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
    return ImageData(name, split, tuple(arrays.classes), labels, shape, tensor_digest(tensor, labels), tensor)


def unit_interval(pixels: Tensor) -> Tensor:
    """Images as float32 in [0, 1], in a tensor of their own, of images as they are kept (`ImageData.pixels`).

    >>> unit_interval(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist(), unit_interval(torch.tensor([0.3])).dtype
    ([0.0, 0.20000000298023224, 1.0], torch.float32)
    """
    if pixels.is_floating_point():
        return pixels.clone()
    values = pixels.float()
    return values.div_(divisor(255, values))


def eight_bit(pixels: Tensor) -> Tensor:
    """uint8 images as they are, float images in [0, 1] rounded to grey levels."""
    return (pixels * 255).round_().to(torch.uint8) if pixels.is_floating_point() else pixels


def tensor_digest(*tensors: Tensor) -> str:
    """SHA-256 over the types, shapes and bytes of `tensors`."""
    digest = hashlib.sha256()
    for tensor in tensors:
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(data.numpy().tobytes())
    return digest.hexdigest()


def resized(pixels: Tensor, shape: Shape) -> Tensor:
    """(N, C', H', W') images, uint8 or float in [0, 1], as (N, C, H, W) of the same kind, resized bilinearly, antialiased.

    Grey images are repeated for three channels; colour images become grey by the weights of ITU-R BT.601.
    """
    channels, height, width = shape
    if pixels.shape[2:] != (height, width):
        parts = [
            torch.nn.functional.interpolate(part.float(), (height, width), mode="bilinear", antialias=True)
            for part in pixels.split(2000)
        ]
        pixels = torch.cat([of_kind(part, pixels) for part in parts])
    if pixels.shape[1] == channels:
        return pixels.contiguous()
    if pixels.shape[1] == 1:
        return pixels.expand(-1, channels, -1, -1).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114])
    grey = torch.cat([torch.einsum("nchw,c->nhw", part.float(), weights) for part in pixels.split(2000)])
    return of_kind(grey, pixels)[:, None].contiguous()


def of_kind(values: Tensor, pixels: Tensor) -> Tensor:
    """Computed values as `pixels` are: rounded to uint8, or float clamped to [0, 1]."""
    return values.clamp_(0, 1) if pixels.is_floating_point() else values.round_().clamp_(0, 255).to(torch.uint8)
