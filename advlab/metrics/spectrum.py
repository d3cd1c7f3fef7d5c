"""How much of an image or a feature map lies above the highest frequency that a coarser grid can hold."""

from __future__ import annotations

import torch
from torch import Tensor


def share_above_nyquist(maps: Tensor, stride: tuple[int, int]) -> Tensor:
    """Share of the spectral energy above the Nyquist frequency of a grid that is `stride` times as coarse.

    A grid that keeps every s-th pixel holds up to 1 / (2 s) cycles a pixel. What is above that vertically or horizontally is
    turned into lower frequencies by sampling (aliasing). The energies of an image's maps are added up. The mean of each map is
    left out: it is moved by a bias and has no frequency. The transform is periodic, so that maps whose opposite borders differ
    have some energy at all frequencies.

    Args:
        maps: (N, C, H, W).
        stride: vertical and horizontal.

    Returns:
        (N,) float64 in [0, 1]; NaN where all maps are constant.

    Raises:
        ValueError: a stride is below 1.

    Examples:
        Columns that alternate hold the highest frequency; those that do so in pairs half of it, which stride 2 still holds.

        >>> quick = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).expand(1, 1, 8, 8)
        >>> slow = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0]).expand(1, 1, 8, 8)
        >>> share_above_nyquist(torch.cat([quick, slow]), (2, 2)).round(decimals=6).tolist()
        [1.0, 0.0]
    """
    if min(stride) < 1:
        raise ValueError(f"a stride must be at least 1, got {stride}")
    maps = maps.double()
    maps = maps - maps.mean((2, 3), keepdim=True)
    energy = torch.fft.fft2(maps).abs().square().sum(1)
    rows, columns = (_above(n, s, maps.device) for n, s in zip(maps.shape[2:], stride, strict=True))
    above = (energy * (rows[:, None] | columns)).sum((1, 2))
    whole = energy.sum((1, 2))
    return torch.where((maps == 0).flatten(1).all(1), torch.nan, above / whole)


def _above(length: int, stride: int, device: torch.device) -> Tensor:
    """(length,) bool: which frequencies of the transform are above; in whole numbers, so that the limit itself never is."""
    cycles = torch.arange(length, device=device)
    cycles = torch.minimum(cycles, length - cycles)
    return 2 * stride * cycles > length
