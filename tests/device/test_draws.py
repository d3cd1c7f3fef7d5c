"""Noise that the device's own generator draws: as it is defined, whatever the range of trials."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import Tensor

from advlab.probes.draws import BLOCK, Draws

SIZE = 12


def drawn(device: torch.device, units: list[tuple[int, int]], trials: int, start: int) -> Tensor:
    """(units, trials, SIZE) on the device."""
    draws = Draws(seed=3, dataset="digits/test", size=SIZE, device=device, portable=False)
    out = torch.empty((len(units), trials, SIZE), device=device)
    draws.write_directions(units, out, start)
    return out


def block_of(device: torch.device, sample: int, radius: int, block: int) -> Tensor:
    """(BLOCK, SIZE): the definition, written once more."""
    digest = hashlib.sha256(f"advlab noise 2/3/digits/test/{sample}/{radius}/{block}".encode()).digest()
    generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") // 2)
    return torch.empty((BLOCK, SIZE), device=device).uniform_(-1, 1, generator=generator)


@pytest.mark.parametrize(
    ("start", "trials"),
    [(0, 2 * BLOCK), (0, BLOCK), (0, 7), (0, BLOCK + 7), (BLOCK, BLOCK), (BLOCK - 1, BLOCK + 2), (3, BLOCK - 3)],
)
def test_blocks_of_trials(start: int, trials: int, cuda: torch.device) -> None:
    units = [(5, 0), (2, 1)]
    wanted = torch.stack([torch.cat([block_of(cuda, *unit, block) for block in range(3)]) for unit in units])
    assert torch.equal(drawn(cuda, units, trials, start), wanted[:, start : start + trials])
