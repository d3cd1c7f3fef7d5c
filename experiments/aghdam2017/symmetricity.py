"""Figure 3 of aghdam2017: the range of the true class's score over permutations of one perturbation."""

from __future__ import annotations

from typing import Any, ClassVar

from advlab.statistics import Claim

from .score_ranges import ReadingRanges, ScoreRanges


class Symmetricity(ScoreRanges):
    """Figure 3: is the score the same for all orders of one perturbation's elements? (section 2.2, eq 6).

    One vector a (sample, radius), the first of the probe's, and T permutations of its C H W elements. The sweep is its
    own: no other figure has these perturbations. With `probe.direction=fgv` or `deepfool` an adversarial perturbation
    is permuted, which leaves its values and takes its direction.

    A permutation keeps the length, so that an isotropic function is symmetric. The converse is false: f(x) = sum of x_i is
    symmetric and not isotropic, so that a network that is not isotropic might still be symmetric.
    """

    name: ClassVar[str] = "symmetricity"
    paper: ClassVar[str] = "aghdam2017, figure 3"
    title: ClassVar[str] = "Range of the true class's score over permutations of one perturbation"
    over: ClassVar[str] = "permutations"
    permuted: ClassVar[bool] = True

    def floor_radii(self, probe: Any) -> list[int]:
        """Epsilon, and 1 where it is measured: the paper calls no network symmetric beyond epsilon."""
        return [0, *(k for k, radius in enumerate(probe.radii) if radius == 1 and k)]

    def statements(self, ranges: ReadingRanges) -> list[Claim]:
        """The statement of section 2.2 about figure 3, and those about figure 1 for the same quantity."""
        none = (
            'section 2.2: "except for adversarial example in distance less than epsilon from x, none of the ConvNets are '
            'symmetric"'
        )
        return [
            ranges.small_at_epsilon("symmetric-at-epsilon", none + ": at epsilon the score hardly changes"),
            ranges.above_floor("asymmetric-at-1", 1, none + ": at 1 it does"),
            ranges.more_at_1(none + ": more at 1 than at epsilon"),
            *ranges.large_at_10("as section 2.1 says of isotropy: very asymmetric at 10"),
        ]
