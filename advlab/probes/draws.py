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
    """Uniform noise on [-1, 1] in fixed units, whatever the batch size, the order or the sharding of the work.

    A unit is one (sample, radius). Within it, block b holds the trials [50 b, 50 b + 50) and has a generator of its
    own, set by a SHA-256 digest of (seed, dataset, sample, radius, block): numpy's PCG64DXSM on the CPU and with
    `portable`, whose 64-bit words give two values each, else the device's.

    Args:
        seed: of the run.
        dataset: name and split.
        size: D, values an image.
        device: where the noise arrives.
        portable: the same bits on every device.

    Attributes:
        kind: of the generator: other kinds give other draws.
    """

    def __init__(self, *, seed: int, dataset: str, size: int, device: torch.device, portable: bool) -> None:
        self.size, self.device = size, device
        self._identity = hashlib.sha256(f"advlab noise 2/{seed}/{dataset}".encode(errors="surrogateescape"))
        self._generator = None if portable or device.type == "cpu" else torch.Generator(device)
        self.kind = "numpy" if self._generator is None else device.type
        self._words = np.random.PCG64DXSM(0)

    def write_directions(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the draws of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32 on `device`, contiguous; filled with U[-1, 1].
            start: first trial.
        """
        if self._generator is not None:
            self._write_on_device(self._generator, units, out, start)
            return
        host = out if out.device.type == "cpu" else torch.empty(out.shape)
        for (sample, radius), unit in zip(units, host.numpy(), strict=True):
            for block in range(start // BLOCK, (start + len(unit) - 1) // BLOCK + 1):
                first, last = max(start, block * BLOCK), min(start + len(unit), (block + 1) * BLOCK)
                skipped = (first - block * BLOCK) * self.size
                values = unit[first - start : last - start].reshape(-1)
                self._fill_block(self.digest(sample, radius, block), skipped, values)
        if host is not out:
            out.copy_(host)

    def digest(self, sample: int, radius: int, block: int, purpose: str = "") -> bytes:
        """32 bytes that set the generator of one block; another purpose gives independent ones."""
        digest = self._identity.copy()
        digest.update(f"/{sample}/{radius}/{block}{purpose}".encode())
        return digest.digest()

    def _fill_block(self, digest: bytes, skipped: int, values: Any) -> None:
        """The values of a block from `skipped` on: its signed 32-bit integers, divided by 2^31 and rounded to float32."""
        state, increment = int.from_bytes(digest[:16], "little"), int.from_bytes(digest[16:], "little") | 1
        self._words.state = {
            "bit_generator": "PCG64DXSM", "state": {"state": state, "inc": increment}, "has_uint32": 0, "uinteger": 0
        }  # fmt: skip
        if skipped >= 2:
            self._words.advance(skipped // 2)
        words = self._words.random_raw((skipped % 2 + len(values) + 1) // 2)
        integers = words.astype("<u8", copy=False).view("<i4")[skipped % 2 :][: len(values)]
        np.multiply(integers, np.float32(2.0**-31), out=values, dtype=np.float32, casting="unsafe")

    def _write_on_device(
        self, generator: torch.Generator, units: Sequence[tuple[int, int]], out: Tensor, start: int
    ) -> None:
        """`write_directions` by the device's generator: a launch a block, which is all the time that small networks take."""
        trials = out.shape[1]
        blocks = range(start // BLOCK, (start + trials - 1) // BLOCK + 1)
        ranges = [(max(start, block * BLOCK), min(start + trials, (block + 1) * BLOCK)) for block in blocks]
        if (
            len({last - first for first, last in ranges}) == 1
        ):  # one call for all views, which cost as much as the draws
            parts = out.view(-1, ranges[0][1] - ranges[0][0], self.size).unbind(0)
        else:
            parts = tuple(part for unit in out for part in unit.split([last - first for first, last in ranges]))
        places = ((unit, block) for unit in units for block in zip(blocks, ranges, strict=True))
        for rows, ((sample, radius), (block, (first, last))) in zip(parts, places, strict=True):
            generator.manual_seed(int.from_bytes(self.digest(sample, radius, block)[:8], "little") >> 1)
            if last - first == BLOCK:
                rows.uniform_(-1, 1, generator=generator)
            else:  # an accelerator's draws depend on how many are asked for: always ask for a whole block
                whole = torch.empty(BLOCK, self.size, device=self.device).uniform_(-1, 1, generator=generator)
                rows.copy_(whole[first - block * BLOCK : last - block * BLOCK])


def norms(noise: Tensor, norm: str) -> Tensor:
    """(..., ) norms of (..., D) noise: "l2" Euclidean, "linf" largest magnitude."""
    return torch.linalg.vector_norm(noise, ord=2 if norm == "l2" else float("inf"), dim=-1)
