"""One vector a (sample, radius), its elements permuted: the directions of figure 3 of aghdam2017 (eq 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from advlab.probes.directions import AdversarialDirections
from advlab.probes.draws import BLOCK, Draws


class Permutations:
    """The first direction of each (sample, radius), its elements permuted once for each trial.

    Writes directions as `Draws` does.

    Trial 0 is the direction itself. The permutations of a block of trials come from a generator of its own, set by
    (seed, dataset, sample, radius, block): numpy's PCG64DXSM where the draws are numpy's, else the device's.

    Args:
        draws: gives the direction and the seeds.
    """

    def __init__(self, draws: Draws | AdversarialDirections) -> None:
        self.size, self.kind = draws.size, draws.kind
        self._draws = draws

    def write_directions(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the permuted directions of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32.
            start: first trial.
        """
        for unit, rows in zip(units, out, strict=True):
            v = torch.empty((1, 1, self.size), device=out.device)
            self._draws.write_directions([unit], v)
            stop = start + len(rows)
            for block in range(start // BLOCK, (stop - 1) // BLOCK + 1):
                first, last = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
                permuted = self._block(unit, block, v[0, 0])
                rows[first - start : last - start] = permuted[first - block * BLOCK : last - block * BLOCK]
            if start == 0:
                rows[0] = v[0, 0]

    def _block(self, unit: tuple[int, int], block: int, v: Tensor) -> Tensor:
        """(BLOCK, D): whole blocks, because an accelerator's draws depend on how many are asked for."""
        digest = self._draws.digest(*unit, block, "/permutations")
        if self.kind == "numpy":
            random = np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest, "little")))
            rows = np.tile(v.cpu().numpy(), (BLOCK, 1))
            random.permuted(rows, axis=1, out=rows)
            return torch.from_numpy(rows).to(v.device)
        generator = torch.Generator(v.device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        keys = torch.randint(1 << 62, (BLOCK, self.size), device=v.device, generator=generator)
        return v[keys.argsort(1)]
