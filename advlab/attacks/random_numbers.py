"""What attacks draw: random numbers that are a function of a seed and of the images alone."""

from __future__ import annotations

import hashlib

import numpy as np
from torch import Tensor


def image_keys(purpose: str, seed: int, x: Tensor, bounds: tuple[float, float]) -> list[bytes]:
    """A key of 32 bytes for each image, from which the random numbers for it follow.

    The key depends on the image's pixels rounded to 16-bit levels. Those of an 8-bit image are exact multiples of 257, so
    that neither the floating-point type nor the pixel unit changes its key.

    Args:
        purpose: what is drawn; the numbers of different purposes are independent.
        seed: of the attack.
        x: (N, C, H, W) images inside `bounds`.
        bounds: lowest and highest pixel value.

    >>> import torch
    >>> levels = torch.tensor([0, 51, 255, 7]).view(1, 1, 2, 2)
    >>> key = image_keys("example", 0, levels / 255, (0.0, 1.0))
    >>> key == image_keys("example", 0, levels.double(), (0.0, 255.0))  # neither precision nor unit matter
    True
    >>> key == image_keys("example", 1, levels / 255, (0.0, 1.0))
    False
    """
    levels = ((x.detach().double() - bounds[0]) * (65535 / (bounds[1] - bounds[0]))).round()
    prefix = hashlib.sha256(f"advlab attack {purpose} 1/{seed}/".encode())
    keys = []
    for image in levels.cpu().numpy():
        digest = prefix.copy()
        digest.update(image.astype("<u2").tobytes())
        keys.append(digest.digest())
    return keys


def generator(key: bytes, trial: int) -> np.random.Generator:
    """The generator of one trial's random numbers, for the image of this key.

    >>> float(generator(b"key", 0).random()) == float(generator(b"key", 0).random())
    True
    >>> float(generator(b"key", 0).random()) == float(generator(b"key", 1).random())
    False
    """
    digest = hashlib.sha256(key + f"/{trial}".encode()).digest()
    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest, "little")))
