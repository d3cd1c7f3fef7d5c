"""The subspaces of figures 4 and 5: the first singular directions, the last ones, and random ones as a control."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.geometry.singular_directions import SingularDirections
from advlab.geometry.subspaces import random_subspace
from advlab.lab import NetworkContext


def basis_of(ctx: NetworkContext, found: SingularDirections, subspace: str, d: int) -> Tensor:
    """(d, D) orthonormal rows on the run's device, at most as many as there are singular directions.

    Args:
        ctx: of the run, whose seed draws the random ones.
        found: the singular directions.
        subspace: hi: of the largest singular values (S_hi); lo: of the smallest (S_lo); random.
        d: how many.
    """
    if subspace == "random":
        drawn = random_subspace(min(d, found.rank), found.directions.shape[1], seed_of(ctx.settings.run.seed, d))
        return drawn.to(found.directions)
    return found.high(d) if subspace == "hi" else found.low(d)


def seed_of(seed: int, d: int) -> int:
    """The seed of a random subspace: another one for every d."""
    return int(torch.randint(0, 2**62, (1,), generator=torch.Generator().manual_seed(100_003 * (seed % 2**40) + d)))
