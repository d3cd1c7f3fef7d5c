"""A pretended CUDA device for machines without one: its tensors say cuda:0, are CPU memory, and refuse to meet CPU tensors.

It finds what only a second device shows: tensors of two devices in one operation, `.numpy()` without `.cpu()`, a tensor that
was made on the CPU by default, a generator of the other device, a matrix product of integers, and a result that does not fit in
its memory. It says nothing about speed, the kernels' numbers, streams or how much memory a real device takes; it does not follow
tensors into other threads, the backward of an `autograd.Function` or hooks; and it refuses `torch.func`'s transformations, for
which `advlab.geometry.jacobian` has another way. What it refuses, and with which
type of error, is compared with a real device wherever the tests meet one (tests/device/test_pretended_cuda.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch

from tests.helpers.pretended_tensors import CUDA, Pretence, on_cuda

MEMORY = 16 << 30  # bytes that the device says it has; half of them are free

GENERATOR, AUTOCAST = torch.Generator, torch.autocast


class PretendedGenerator(GENERATOR):  # type: ignore[misc, valid-type]
    """`torch.Generator`, whose CUDA draws on the CPU."""

    def __new__(cls, device: Any = "cpu") -> Any:
        return super().__new__(cls) if on_cuda(device) else GENERATOR()

    @property
    def device(self) -> torch.device:
        return CUDA


class PretendedAutocast(AUTOCAST):  # type: ignore[misc, valid-type]
    """`torch.autocast`, whose CUDA is the CPU; that of the CPU does nothing to the pretended tensors, and nothing here."""

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: Any = None) -> None:
        on_device = device_type == "cuda"
        dtype = torch.float16 if dtype is None and on_device else dtype  # CUDA's default
        super().__init__("cpu", dtype, enabled and on_device, cache_enabled)


def of_the_cpu(function: Callable[[str], Any], *_: Any) -> Any:
    """What a function of torch says of the CPU, whatever device it is asked for."""
    return function("cpu")


@contextmanager
def pretended_cuda(memory: int = MEMORY) -> Iterator[torch.device]:
    """Within it, torch has one CUDA device; gives that device, as `torch.device("cuda")`.

    Args:
        memory: bytes; an operation whose result takes more raises torch.OutOfMemoryError.
    """
    pretence = Pretence(memory)
    of_cpu: dict[str, Callable[..., Any]] = {
        name: getattr(torch, name) for name in ("is_autocast_enabled", "get_autocast_dtype")
    }
    answers: dict[str, Any] = {
        "_lazy_init": None, "is_available": True, "device_count": 1, "current_device": 0, "synchronize": None,
        "empty_cache": None, "get_device_name": "Pretended CUDA", "mem_get_info": (min(memory, MEMORY) // 2, MEMORY),
        "is_bf16_supported": True, "manual_seed": None, "manual_seed_all": None, "reset_peak_memory_stats": None,
        "get_rng_state": GENERATOR().get_state(), "set_rng_state": None, "get_device_capability": (9, 0),
        "is_current_stream_capturing": False,
    }  # fmt: skip
    with ExitStack() as stack:

        def replace(holder: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(holder, name, value))

        for name, answer in answers.items():
            replace(torch.cuda, name, mock.Mock(return_value=answer))
        for name in ("max_memory_allocated", "memory_allocated", "max_memory_reserved"):
            replace(torch.cuda, name, mock.Mock(side_effect=lambda *_: pretence.largest))
        for name, function in of_cpu.items():
            replace(torch, name, partial(of_the_cpu, function))
        for holder in (torch, torch.amp, torch.amp.autocast_mode):
            replace(holder, "autocast", PretendedAutocast)
        for name in (name for name in dir(torch.optim.Optimizer) if name.endswith("graph_capture_health_check")):
            replace(torch.optim.Optimizer, name, mock.Mock())
        replace(torch, "Generator", PretendedGenerator)
        stack.enter_context(pretence)
        yield torch.device("cuda")
