"""What an attack from elsewhere is called with and checked by: a counted network, seeded random numbers, images inside bounds."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from advlab.attacks.problem import Problem
from advlab.attacks.random_numbers import image_keys
from advlab.errors import ArgumentError
from advlab.models.seeded import seeded


class CountedModule(nn.Module):
    """The network of a problem as a module; whatever is done to this module does not reach the network itself.

    It has one empty parameter, which tells its device, and no submodules: modes that a library sets, gradients that it
    leaves behind and hooks that it adds stay here. Forwards are counted, and those backwards that reach the images.

    Of a network that rejects, it gives logits of the classes for images made from one image of the problem, and in them that
    image's own class stands for the rejection as well (`rejection.without_reject`): so it is called image by image.

    Args:
        problem: its network is called.
        unit_interval: images come in [0, 1] instead of the units of the problem's bounds.
    """

    def __init__(self, problem: Problem, *, unit_interval: bool) -> None:
        super().__init__()
        self._problem = problem
        self._own: Tensor | None = None
        self._low, self._extent = (problem.bounds[0], problem.extent) if unit_interval else (0.0, 1.0)
        self.anchor = nn.Parameter(problem.x.new_zeros(0), requires_grad=False)
        self.eval()

    def batches(self) -> Iterator[slice]:
        """The images of the problem that are attacked at a time: a batch, or one image where the network rejects."""
        size = 1 if self._problem.network.rejects else self._problem.batch_size
        for start in range(0, len(self._problem), size):
            rows = slice(start, min(start + size, len(self._problem)))
            self._own = self._problem.own_classes(rows)
            yield rows

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits of (n, C, H, W) images, made from those of the current batch; a plain tensor, of no subclass."""
        problem = self._problem
        x = x.to(problem.x)  # ART works in float32 whatever the images are
        if (self._low, self._extent) != (0.0, 1.0):
            x = x * self._extent + self._low
        if x.requires_grad:
            x = x.view_as(x)  # the hook is put on this view, so that the caller's tensor gets none
            x.register_hook(self._count)
        logits = problem.network.logits(x, None if self._own is None else self._own.expand(len(x)))
        return logits.as_subclass(Tensor)

    def _count(self, gradient: Tensor) -> None:
        self._problem.network.backwards += len(gradient) * self._problem.network.draws


def seeded_by_images(seed: int, x: Tensor, bounds: tuple[float, float]) -> contextlib.AbstractContextManager[None]:
    """Set the global random numbers (torch, numpy, random) by `seed` and the images `x`; afterwards they are as before.

    Args:
        seed: of the attack.
        x: (n, C, H, W) all images of the batch, since what draws for them draws from one stream.
        bounds: lowest and highest pixel value.
    """
    keys = image_keys("elsewhere", seed, x, bounds)
    return seeded(int.from_bytes(hashlib.sha256(b"".join(keys)).digest()[:4], "big"), x.device)


def images_inside(problem: Problem, rows: slice, returned: object, source: str) -> tuple[Tensor, Tensor]:
    """What an attack from elsewhere returned, as images (n, C, H, W) inside the bounds, and (n,) bool which are finite.

    Images with NaN or infinite values become the originals.

    Args:
        problem: its images and bounds.
        rows: which images the attack was given.
        returned: what it gave back.
        source: its name in the message.

    Raises:
        ArgumentError: it is not a dense tensor of the images' shape, or one of whole, complex or logical numbers.
    """
    x = problem.x[rows]
    has_values = isinstance(returned, Tensor) and returned.layout is torch.strided and not returned.is_meta
    if not isinstance(returned, Tensor) or not has_values or returned.shape != x.shape:
        tensor = "a tensor" if has_values else "a tensor that is sparse or has no values"
        kind = f"{tensor} of shape {tuple(returned.shape)}" if isinstance(returned, Tensor) else type(returned).__name__
        raise ArgumentError(f"{source} must return images of shape {tuple(x.shape)}, it returned {kind}")
    if not returned.is_floating_point():
        wanted, got = (str(tensor.dtype).removeprefix("torch.") for tensor in (x, returned))
        low, high = problem.bounds
        raise ArgumentError(f"{source} must return images of {wanted} in [{low:g}, {high:g}], it returned {got}")
    images = returned.detach().to(x)
    finite = torch.isfinite(images).flatten(1).all(1)
    return torch.where(finite[:, None, None, None], images, x).clamp(*problem.bounds), finite
