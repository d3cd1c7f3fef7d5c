"""Figure 1 of aghdam2017: the range of the true class's score over random directions of equal length."""

from __future__ import annotations

from typing import ClassVar

from advlab.statistics import Claim

from .score_ranges import ReadingRanges, ScoreRanges


class Isotropy(ScoreRanges):
    """Figure 1: is the score the same in all directions at one distance from the image? (section 2.1, eq 4)."""

    name: ClassVar[str] = "isotropy"
    paper: ClassVar[str] = "aghdam2017, figure 1"
    title: ClassVar[str] = "Range of the true class's score over random perturbations of equal norm"
    over: ClassVar[str] = "directions"
    permuted: ClassVar[bool] = False

    def statements(self, ranges: ReadingRanges) -> list[Claim]:
        """The four statements of section 2.1 about figure 1; the last is judged by the median and by the share of samples."""
        section = "section 2.1: "
        return [
            ranges.above_floor(
                "anisotropic-at-epsilon", ranges.epsilon,
                section + '"none of the ConvNets are perfectly isotropic even at distance epsilon"',
            ),
            ranges.small_at_epsilon(
                "small-at-epsilon", section + '"their score does not significantly change at distance epsilon"'
            ),
            ranges.more_at_1(
                section + '"by increasing the radius to 1 pixel, all ConvNets become more non-isotropic"'
            ),
            *ranges.large_at_10(
                section + '"most of ConvNets become very non-isotropic at distance 10 pixels"'
            ),
        ]  # fmt: skip
