"""A network as code from elsewhere wants it: a module in [0, 1] (or any other unit) whose forwards are counted."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from advlab.attacks.problem import Problem
from advlab.attacks.random_numbers import image_keys


class CountedModule(nn.Module):
    """The model of a problem behind `problem.call`; whatever is done to this module does not reach the model itself.

    It has one empty parameter, which tells its device, and no submodules: modes that a library sets, gradients that it
    leaves behind and hooks that it adds stay here.

    Args:
        problem: counts forwards, and backwards that reach the image.
        unit: images come in [0, 1] instead of the units of the problem's bounds.
    """

    def __init__(self, problem: Problem, *, unit: bool) -> None:
        super().__init__()
        self._problem = problem
        self._low, self._extent = (problem.bounds[0], problem.extent) if unit else (0.0, 1.0)
        self.anchor = nn.Parameter(problem.x.new_zeros(0), requires_grad=False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits of (n, C, H, W) images."""
        problem = self._problem
        x = x.to(problem.x)  # ART works in float32 whatever the images are
        if (self._low, self._extent) != (0.0, 1.0):
            x = x * self._extent + self._low
        if x.requires_grad:
            x = x.view_as(x)  # a node of its own, whose hook leaves the caller's tensor alone
            x.register_hook(self._count)
        return problem.network.logits(x)

    def _count(self, gradient: Tensor) -> None:
        self._problem.network.backwards += len(gradient)


@contextlib.contextmanager
def seeded(seed: int, x: Tensor, bounds: tuple[float, float]) -> Iterator[None]:
    """Global random numbers (torch, numpy, random) as a function of `seed` and of the images `x`; as before afterwards."""
    keys = image_keys("elsewhere", seed, x, bounds)  # of the whole batch: what draws for it draws from one stream
    start = int.from_bytes(hashlib.sha256(b"".join(keys)).digest()[:4], "big")
    numbers, others = np.random.get_state(), random.getstate()  # noqa: NPY002 - what other libraries draw from
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(start)
        np.random.seed(start)  # noqa: NPY002 - likewise
        random.seed(start)
        try:
            yield
        finally:
            np.random.set_state(numbers)  # noqa: NPY002 - likewise
            random.setstate(others)


def accept(problem: Problem, index: slice, found: Tensor, source: str) -> tuple[Tensor, Tensor]:
    """What foreign code returned for images `index`, as images inside the bounds, and (n,) bool which are finite.

    Images with NaN or infinite values become the originals.

    Raises:
        ValueError: it is not a tensor of the images' shape.
    """
    x = problem.x[index]
    if not isinstance(found, Tensor) or found.shape != x.shape:
        what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{source} must return images of shape {tuple(x.shape)}, it returned {what}")
    found = found.detach().to(x)
    finite = torch.isfinite(found).flatten(1).all(1)
    return torch.where(finite[:, None, None, None], found, x).clamp(*problem.bounds), finite
