"""The random numbers that a training draws, as tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def random_states(generator: torch.Generator) -> dict[str, Tensor]:
    """uint8 states of all random numbers that training draws: torch's on the CPU and on the device, and those of the generator."""
    states = {"cpu": torch.get_rng_state(), "generator": generator.get_state()}
    if generator.device.type == "cuda":
        states["device"] = torch.cuda.get_rng_state(generator.device)
    if generator.device.type == "mps":
        states["device"] = torch.mps.get_rng_state()
    return states


def restore_random_states(generator: torch.Generator, states: Mapping[str, Tensor]) -> None:
    """Bring back what `random_states` gave.

    Raises:
        ValueError: a state is none; nothing has changed then.
    """
    try:
        for name, state in states.items():
            torch.Generator("cpu" if name == "cpu" else generator.device).set_state(state)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"its random numbers have no state: {error}") from error
    torch.set_rng_state(states["cpu"])
    generator.set_state(states["generator"])
    if generator.device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], generator.device)
    if generator.device.type == "mps":
        torch.mps.set_rng_state(states["device"])
