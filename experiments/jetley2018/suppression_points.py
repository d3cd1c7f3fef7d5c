"""The numbers of one projection of `suppression`, from its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Interval, median_interval

from ..aghdam2017.paired_shares import paired_difference

KEYS = ["mode", "subspace", "d", "draw"]


@dataclass(frozen=True)
class Point:
    """One projection: what it keeps of the accuracy, and what it gains in robustness.

    Attributes:
        rows: of the table, one an attacked image.
    """

    rows: Frame

    @property
    def both(self) -> Frame:
        """The attacked images that are correct with and without the projection, and were attacked with success without it.

        Where no perturbation was found behind the projection, `l2` is infinite: longer than any that was.
        """
        both = self.rows[self.rows["eligible_whole"] & self.rows["correct"]]
        return both.assign(l2=both["l2"].fillna(math.inf))

    @property
    def ratio(self) -> Interval:
        """Median over those images of the smallest norm behind the projection, over that without it."""
        both = self.both
        return median_interval(both["l2"] / both["l2_whole"]) if len(both) else NOT_MEASURED

    @property
    def lost(self) -> Interval:
        """Accuracy without the projection less that behind it, on the same images."""
        first = self.rows.iloc[0]
        lost, won = int(first["lost"]), int(first["won"])
        both = int(first["accurate_whole"]) - lost
        return paired_difference(both, lost, won, int(first["accuracy_images"]) - both - lost - won)

    @property
    def overstated(self) -> Interval:
        """Of those images: share that withstands the lengthened perturbation found without the projection, less the share that
        withstands every perturbation of its length."""
        both = self.both
        apparent = ~both["transferred"].astype(bool)
        withstands = both["l2"] > both["factor"] * both["l2_whole"]
        counts = [int((a & b).sum()) for a in (apparent, ~apparent) for b in (withstands, ~withstands)]
        return paired_difference(counts[0], counts[1], counts[2], counts[3])

    def line(self) -> dict[str, Any]:
        """Of the summary."""
        first, both, ratio, lost = self.rows.iloc[0], self.both, self.ratio, self.lost
        images = int(first["accuracy_images"])
        return {
            **{key: first[key] for key in KEYS}, "rank": int(first["rank"]), "accuracy": first["accurate"] / images,
            "accuracy_whole": first["accurate_whole"] / images, "lost": lost.estimate, "lost_low": lost.low,
            "lost_high": lost.high, "images": len(both),
            "median_l2": both["l2"].median(), "median_l2_whole": both["l2_whole"].median(),
            "ratio": ratio.estimate, "ratio_low": ratio.low, "ratio_high": ratio.high,
            "withstand_transfer": 1 - both["transferred"].mean() if len(both) else math.nan,
            "withstand_white_box": (both["l2"] > both["factor"] * both["l2_whole"]).mean() if len(both) else math.nan,
        }  # fmt: skip


def points_of(table: Frame) -> list[Point]:
    """The projections of one run's table, in its order."""
    return [Point(rows) for _, rows in table.groupby(KEYS, sort=False)]
