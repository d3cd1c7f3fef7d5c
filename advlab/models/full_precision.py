"""In which precision a network truly computes: in float64 when it is asked to, against which what float32 loses is measured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from advlab.data.content import Shape
from advlab.models.inspection import REFUSALS

log = logging.getLogger(__name__)

HALF = (torch.float16, torch.bfloat16)


class _Watch(TorchDispatchMode):
    """Sees operations as they are carried out, without torch's compiler."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch otherwise loads its compiler, two processor seconds, to say that it shall leave `__torch_dispatch__` alone."""
        return False


class _Narrowings(_Watch):
    """Notes the operations that make less precise numbers of float64 ones."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry an operation out, and note it if it takes float64 and gives less."""
        given = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, Tensor)]
        output = func(*args, **(kwargs or {}))
        made = [
            value for value in (output if isinstance(output, tuple | list) else [output]) if isinstance(value, Tensor)
        ]
        if any(value.dtype == torch.float64 for value in given) and any(_is_less(value) for value in made):
            self.operations.append(str(func))
        return output


class HalfPrecision(_Watch):
    """Sees whether anything is computed in half precision in the block, by autocast or otherwise.

    Attributes:
        seen: whether something was.

    >>> with HalfPrecision() as half:
    ...     torch.ones(2).bfloat16().float()
    tensor([1., 1.])
    >>> half.seen
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry an operation out and look at what it gives."""
        output = func(*args, **(kwargs or {}))
        made = output if isinstance(output, tuple | list) else [output]
        self.seen |= any(isinstance(value, Tensor) and value.dtype in HALF for value in made)
        return output


def float64_obstacle(network: nn.Module, x: Tensor) -> str:
    """Why a network does not compute in float64; empty where it does.

    Args:
        network: converted to float64.
        x: (n, C, H, W) float64 images.

    >>> x = torch.rand(1, 1, 2, 2, dtype=torch.float64)
    >>> float64_obstacle(nn.Flatten(), x)
    ''
    >>> class Casts(nn.Module):
    ...     def forward(self, x): return x.flatten(1).float().double()
    >>> float64_obstacle(Casts(), x)
    'it makes float32 or less of float64 inside'
    """
    watch = _Narrowings()
    try:
        with torch.no_grad(), watch:
            output = network(x)
    except torch.OutOfMemoryError:
        raise
    except REFUSALS as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    if watch.operations or output.dtype != torch.float64:
        return "it makes float32 or less of float64 inside"
    return ""


def warned_obstacle(copy: Callable[[], nn.Module], shape: Shape, device: torch.device, name: str) -> str:
    """The `float64_obstacle` of a network of a name, on one image of a shape (C, H, W), told in the log.

    Args:
        copy: makes the network in float64, on the device.
        shape: (C, H, W).
        device: where float64 is computed.
        name: of the network.
    """
    x = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(device)
    try:
        obstacle = float64_obstacle(copy(), x)
    except (RuntimeError, TypeError) as error:  # what cannot be copied
        if isinstance(error, torch.OutOfMemoryError):
            raise
        obstacle = " ".join(str(error).split())[:200]
    if obstacle:
        log.warning(
            "%s does not compute in float64: %s. What float32 itself adds to the numbers is not measured",
            name,
            obstacle,
        )
    return obstacle


def _is_less(value: Tensor) -> bool:
    return value.dtype in (torch.float32, *HALF) and value.numel() > 0
