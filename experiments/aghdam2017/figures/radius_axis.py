"""A linear axis of radii from 1 on, with epsilon set apart to the left, where it would coincide with 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, NullLocator

from advlab.plotting.style import narrow

INVISIBLE = 0.05  # of the largest radius: what is smaller stands at 0 to the eye
GAP = 0.15  # of the axis, between epsilon and the second radius


class RadiusAxis:
    """Places of radii on a linear axis; the smallest stands apart, beyond a break, where it is epsilon.

    Args:
        radii: all that are drawn on the axis.
    """

    def __init__(self, radii: Iterable[float]) -> None:
        """Find out whether the axis is broken."""
        self.radii = sorted(set(radii))
        smallest, *others = self.radii
        self.broken = len(others) > 0 and smallest < INVISIBLE * others[-1] and smallest < others[0] / 2
        span = others[-1] - others[0] if len(others) > 1 else 1.0
        self.apart = others[0] - (1.5 if narrow() else 1.0) * GAP * span if self.broken else smallest

    def places(self, radii: pd.Series | pd.Index) -> np.ndarray[Any, Any]:
        """Where each radius stands."""
        values = np.asarray(radii, dtype=float)
        return np.where(values == self.radii[0], self.apart, values)

    def curve(self, values: pd.Series | pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Places and values of a curve, indexed by the radius, interrupted at the break: epsilon stands for itself.

        Of a frame, the values have a column for each of its own.
        """
        places, heights = self.places(values.index), values.to_numpy(dtype=float)
        if not self.broken or len(values) < 2 or values.index[0] != self.radii[0]:
            return places, heights
        gap = np.full_like(heights[:1], np.nan)
        return np.insert(places, 1, np.nan), np.concatenate([heights[:1], gap, heights[1:]])

    def spread(self, axis: Any, quantiles: pd.DataFrame, low: float, high: float, **look: Any) -> None:
        """Fill between two quantiles at each radius; at epsilon, beyond the break, a bar of some width."""
        places, heights = self.places(quantiles.index), quantiles[[low, high]].to_numpy(dtype=float)
        if self.broken and quantiles.index[0] == self.radii[0]:
            half = 0.25 * (self.radii[1] - self.apart)
            bar = [self.apart - half, self.apart + half]
            axis.fill_between(bar, *(np.repeat(heights[0, k], 2) for k in (0, 1)), **look)
            places, heights = places[1:], heights[1:]
        axis.fill_between(places, heights[:, 0], heights[:, 1], **look)

    def label(self, axis: Any, ticks: int = 5) -> None:
        """Set ticks and limits of a horizontal axis, and mark the break."""
        if not self.broken:
            axis.xaxis.set_major_locator(MaxNLocator(ticks, integer=self.radii[-1] >= ticks))
            return
        first, last = self.radii[1], self.radii[-1]
        chosen = [
            tick for tick in MaxNLocator(ticks - 1, integer=True).tick_values(first, last) if first < tick <= last
        ]
        if not chosen or chosen[0] - first > 0.12 * (last - first):
            chosen = [first, *chosen]
        axis.set_xticks([self.apart, *chosen], [f"{tick:g}" for tick in (self.radii[0], *chosen)])
        axis.xaxis.set_minor_locator(NullLocator())
        middle, room = (self.apart + first) / 2, 0.6 * (first - self.apart)
        axis.set_xlim(self.apart - room, last + room)
        place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
        axis.text(middle, 0, "//", transform=axis.get_xaxis_transform(), **place)
