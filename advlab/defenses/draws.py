"""What random defenses draw: numbers that are a function of a seed, an image's content and a trial alone, on any device.

They are counter based: each is a hash of (key, position), in 64-bit whole numbers that every device computes alike, so that
neither the batch, nor the order of the images, nor their place in memory matters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WEYL = 0x9E3779B97F4A7C15 - 2**64  # the increment of splitmix64 (Steele et al. 2014), as a signed number
MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
PIXELS_AT_ONCE = 2**24  # whose hash is computed in one go


@dataclass(frozen=True)
class Draw:
    """Random numbers of n images, one stream an image.

    The same call gives the same numbers again; `stream` gives independent ones.

    Attributes:
        keys: (n,) int64.

    >>> draw = draw_of(torch.rand(2, 1, 4, 4))
    >>> draw.normal((3,)).shape, draw.uniform().shape
    (torch.Size([2, 3]), torch.Size([2]))
    >>> torch.equal(draw.normal((3,)), draw.normal((3,))), torch.equal(draw.normal((3,)), draw.stream(1).normal((3,)))
    (True, False)
    """

    keys: Tensor

    def stream(self, number: int) -> Draw:
        """Other numbers, independent of these and of those of any other stream."""
        return Draw(mixed(self.keys ^ mixed_number(number)))

    def bits(self, shape: Sequence[int] = ()) -> Tensor:
        """(n, *shape) int64, every bit as likely 0 as 1."""
        position = torch.arange(1, math.prod(shape) + 1, device=self.keys.device)
        return mixed(self.keys[:, None] + position * WEYL).view(len(self.keys), *shape)

    def uniform(self, shape: Sequence[int] = ()) -> Tensor:
        """(n, *shape) float64 (float32 where the device has no float64) in [0, 1)."""
        dtype, digits = (torch.float32, 24) if self.keys.device.type == "mps" else (torch.float64, 53)
        return unsigned_shift(self.bits(shape), 64 - digits).to(dtype) * 2.0**-digits

    def integers(self, count: int, shape: Sequence[int] = ()) -> Tensor:
        """(n, *shape) int64, uniform on 0 to count - 1."""
        return (self.uniform(shape) * count).long()

    def normal(self, shape: Sequence[int] = ()) -> Tensor:
        """(n, *shape) standard normal, float64 as `uniform`, by the transform of Box and Muller (1958); at most 6.7 in size."""
        bits = self.bits(shape)
        dtype = torch.float32 if bits.device.type == "mps" else torch.float64
        above_zero = (unsigned_shift(bits, 32) + 1).to(dtype) * 2.0**-32
        angle = (bits & 0xFFFFFFFF).to(dtype) * (2 * math.pi * 2.0**-32)
        return above_zero.log_().mul_(-2).sqrt_().mul_(angle.cos_())


def draw_of(x: Tensor, trial: int | Tensor = 0) -> Draw:
    """The draw of each image of (n, C, H, W) in a trial, or in the trial (n,) of each."""
    number = signed(trial * WEYL) if isinstance(trial, int) else trial * WEYL
    return Draw(mixed(content_hash(x) + number))


def content_hash(x: Tensor) -> Tensor:
    """(n,) int64: a hash of each image's pixels in float32, with 0 and -0 alike.

    The sum of the pixels' bits, each multiplied by a random odd number of its place: exact, so that no order matters.
    """
    x = x.detach().flatten(1)
    with torch.no_grad():
        multipliers = mixed(torch.arange(x.shape[1], device=x.device)) | 1
        rows = max(1, PIXELS_AT_ONCE // max(1, x.shape[1]))
        sums = [
            ((part.float() + 0.0).view(torch.int32).long().mul_(multipliers)).sum(1) for part in x.split(rows)
        ]  # + 0.0 makes 0 of -0
        return mixed(torch.cat(sums))


def mixed(z: Tensor) -> Tensor:
    """int64 of the same shape, whose bits depend on all bits of `z`: the output function of splitmix64.

    >>> mixed(torch.tensor([0, 1])).tolist()
    [0, 6238072747940578789]
    """
    z = (z ^ unsigned_shift(z, 30)) * MULTIPLIERS[0]
    z = (z ^ unsigned_shift(z, 27)) * MULTIPLIERS[1]
    return z ^ unsigned_shift(z, 31)


@functools.lru_cache(maxsize=1024)
def mixed_number(number: int) -> int:
    """`mixed` of the splitmix64 state of a whole number of any size."""
    return int(mixed(torch.tensor(signed(number + WEYL))))


def signed(number: int) -> int:
    """The 64-bit signed number that a whole number of any size overflows to.

    >>> signed(2**64 - 1), signed(3)
    (-1, 3)
    """
    return (number + 2**63) % 2**64 - 2**63


def unsigned_shift(z: Tensor, digits: int) -> Tensor:
    """int64 `z` shifted to the right, zeros from the left."""
    return (z >> digits) & (2 ** (64 - digits) - 1)
