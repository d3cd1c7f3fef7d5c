"""What attacks draw: random numbers that are a function of a seed and of the images alone."""

from __future__ import annotations

import hashlib

import numpy as np
from torch import Tensor


def image_keys(purpose: str, seed: int, x: Tensor, bounds: tuple[float, float]) -> list[bytes]:
    """32 bytes for each image, which set what is drawn for it.

    Of an image its 16-bit levels count: those of an 8-bit image are whole numbers, so that neither the floating-point
    type nor the pixel unit changes them.

    Args:
        purpose: what is drawn; another one, and the numbers are independent.
        seed: of the attack.
        x: (N, C, H, W) images inside `bounds`.
        bounds: lowest and highest pixel value.
    """
    levels = ((x.detach().double() - bounds[0]) * (65535 / (bounds[1] - bounds[0]))).round()
    start = hashlib.sha256(f"advlab attack {purpose} 1/{seed}/".encode())
    keys = []
    for image in levels.cpu().numpy():
        digest = start.copy()
        digest.update(image.astype("<u2").tobytes())
        keys.append(digest.digest())
    return keys


def generator(key: bytes, trial: int) -> np.random.Generator:
    """The random numbers of one trial on the image of this key."""
    digest = hashlib.sha256(key + f"/{trial}".encode()).digest()
    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest, "little")))
