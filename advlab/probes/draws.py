"""The noise: draws that are a function of (seed, dataset, sample, radius index, trial) alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

BLOCK = 50  # trials that share one generator; a constant of the definition: another value gives other draws


class Draws:
    """Uniform noise on [-1, 1) in fixed units, whatever the batch size, the order or the sharding of the work.

    A unit is one (sample, radius). Within it, block b holds the trials [50 b, 50 b + 50) and has a generator of its
    own: numpy's Philox on the CPU and with `portable`, keyed by (seed, dataset) with (block, radius, sample) as its
    counter; else the device's generator, seeded by a digest of all five.

    Args:
        seed: of the run.
        dataset: name and split.
        size: D, values an image.
        device: where the noise arrives.
        portable: the same bits on every device.
    """

    def __init__(self, *, seed: int, dataset: str, size: int, device: torch.device, portable: bool) -> None:
        self.size, self.device = size, device
        self._identity = f"advlab noise 1/{seed}/{dataset}"
        digest = hashlib.sha256(self._identity.encode(errors="surrogateescape")).digest()
        self._key = np.frombuffer(digest[:16], dtype="<u8")
        self._minus_one = torch.tensor(-1.0)
        self._generator = None if portable or device.type == "cpu" else torch.Generator(device)

    def fill(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the draws of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32 on `device`, contiguous; filled with U[-1, 1).
            start: first trial.
        """
        if self._generator is not None:
            for (sample, radius), unit in zip(units, out, strict=True):
                self._fill_on_device(sample, radius, unit, start)
            return
        host = out if out.device.type == "cpu" else torch.empty(out.shape)
        for (sample, radius), unit in zip(units, host.numpy(), strict=True):
            for block in range(start // BLOCK, (start + len(unit) - 1) // BLOCK + 1):
                self._fill_block(sample, radius, block, unit, max(0, block * BLOCK - start), start)
        torch.add(self._minus_one, host, alpha=2, out=host)  # 2 u - 1 in one pass, exact in float32
        if host is not out:
            out.copy_(host)

    def _fill_block(self, sample: int, radius: int, block: int, unit: Any, row: int, start: int) -> None:
        philox = np.random.Philox(key=self._key, counter=np.array([0, block, radius, sample], dtype=np.uint64))
        generator = np.random.Generator(philox)
        skipped = max(0, start - block * BLOCK)
        if skipped:  # the block begins before the first trial that is wanted
            generator.random((skipped, self.size), dtype=np.float32)
        rows = unit[row : row + BLOCK - skipped]
        generator.random(out=rows, dtype=np.float32)

    def _fill_on_device(self, sample: int, radius: int, unit: Tensor, start: int) -> None:
        trials = unit.shape[0]
        assert self._generator is not None
        for block in range(start // BLOCK, (start + trials - 1) // BLOCK + 1):
            digest = hashlib.sha256(f"{self._identity}/{sample}/{radius}/{block}".encode()).digest()
            self._generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
            first = max(start, block * BLOCK)
            last = min(start + trials, (block + 1) * BLOCK)
            rows = unit[first - start : last - start]
            if last - first == BLOCK:
                rows.uniform_(-1, 1, generator=self._generator)
            else:  # an accelerator's draws depend on how many are asked for: always ask for a whole block
                whole = torch.empty(BLOCK, self.size, device=self.device).uniform_(-1, 1, generator=self._generator)
                rows.copy_(whole[first - block * BLOCK : last - block * BLOCK])


def norms(noise: Tensor, norm: str) -> Tensor:
    """(..., ) norms of (..., D) noise: "l2" Euclidean, "linf" largest magnitude."""
    return torch.linalg.vector_norm(noise, ord=2 if norm == "l2" else float("inf"), dim=-1)
