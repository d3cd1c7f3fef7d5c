"""Figure 1 of aghdam2017: the range of the true class's score over random directions of equal length."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from advlab.statistics.claims import Claim

from .score_ranges import ScoreRanges, Statements

if TYPE_CHECKING:
    from advlab.lab.context import Context
    from advlab.lab.neighbourhood import Scores
    from advlab.probes.sweep import Directions


class Isotropy(ScoreRanges):
    """Figure 1: is the score the same in all directions at one distance from the image? (section 2.1, eq 4)."""

    name: ClassVar[str] = "isotropy"
    paper: ClassVar[str] = "aghdam2017, figure 1"
    title: ClassVar[str] = "Range of the true class's score over random perturbations of equal norm"
    over: ClassVar[str] = "$T$ directions"

    def directions(self, ctx: Context) -> Directions:
        """The probe's."""
        return ctx.draws

    def scores(self, ctx: Context, samples: list[int]) -> Scores:
        """From the sweep that topology and lipschitz share."""
        from advlab.lab.neighbourhood import scores

        return scores(ctx, samples)

    def statements(self, check: Statements) -> list[Claim]:
        """The four statements of section 2.1 about figure 1; the last is judged by the median and by the share of samples."""
        section = "section 2.1: "
        return [
            check.above_floor(
                "anisotropic-at-epsilon", check.epsilon,
                section + '"none of the ConvNets are perfectly isotropic even at distance epsilon"',
            ),
            check.small_at_epsilon(
                "small-at-epsilon", section + '"their score does not significantly change at distance epsilon"'
            ),
            check.more_at_1(
                section + '"by increasing the radius to 1 pixel, all ConvNets become more non-isotropic"'
            ),
            *check.large_at_10(
                section + '"most of ConvNets become very non-isotropic at distance 10 pixels"'
            ),
        ]  # fmt: skip
