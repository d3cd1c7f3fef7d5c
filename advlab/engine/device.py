"""The device that a run measures on: which one it is, and how much of its memory the run has taken."""

from __future__ import annotations

import torch

from advlab.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`run.device` as a torch device; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: this machine has no such device.
    """
    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    device = torch.device(name)
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[device.type]:
        raise ConfigError(f"run.device={name}: there is no such device here: type run.device=auto or run.device=cpu")
    return device


def peak_device_memory(device: torch.device) -> int:
    """Most bytes that tensors have taken on a CUDA device in this process; 0 for devices that do not count them."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
