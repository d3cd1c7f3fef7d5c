"""The smallest weight w for which x + w eta flips the class: one gradient gave eta, the search takes forwards alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.status import Status

AHEAD = 1.05  # a step ahead is so many times as long as the secant says: it should end just beyond the flip
GROWTH = 1.5  # a step ahead ends at most at so many times the weight of the last failure
FIRST = 1 / 4  # the first step ahead is at most so long, in units of `largest`
HALVE = 8  # every eighth look between a failure and a flip is at the middle of the two


@dataclass(frozen=True)
class SearchResult:
    """Where the search ended on each ray.

    Attributes:
        weight: (R,) float64 smallest weight that flips; where there is none, the largest known to be no flip.
        status: (R,) int64 of `Status`.
        steps: (R,) int64 forwards.
    """

    weight: Tensor
    status: Tensor
    steps: Tensor


def smallest_weights(rays: Rays, params: GradientSearch, slope: Tensor) -> SearchResult:
    """The smallest weights that flip, up to `params.largest`; of several rays from one image only the first flip counts.

    As in gunther2017 (section 1.2, after Rozsa et al. 2016): growing steps until the class flips, then the interval between
    the last failure and the flip is narrowed. Both follow the margin: a step ends where the line through the last two
    margins crosses zero. What flips and flips back between two looks is not seen, therefore an image without a flip is
    scanned at every step of `params.resolution` before it is called a failure.

    Args:
        rays: R of them.
        params: hyperparameters.
        slope: (R,) float64 rise of the margin per unit of weight at the images themselves.
    """
    search = WeightSearch(rays, params, slope)
    if params.exhaustive:
        search.scan()
    search.follow_margins()
    result = search.result()
    if params.exhaustive:
        return result
    solved = torch.zeros(len(rays.problem), dtype=torch.bool, device=slope.device)
    solved[rays.image[result.status == Status.SUCCESS]] = True
    missing = ((result.status == Status.NO_FLIP_AT_SATURATION) & ~solved[rays.image]).nonzero()[:, 0]
    if len(missing):
        scanned = smallest_weights(rays.subset(missing), replace(params, exhaustive=True), slope[missing])
        result.weight[missing], result.status[missing] = scanned.weight, scanned.status
        result.steps[missing] += scanned.steps
    return result


class WeightSearch:
    """The search on all R rays, and what it knows of each.

    Weights are counted in levels, 2^bisections to a step of `resolution`, or fewer where the images' precision does not tell
    them apart.

    Attributes:
        failure, failure_margin: (R,) float64 the last level that does not flip, 0 at first, and the margin there.
        flip, flip_margin: (R,) float64 the first level seen to flip, infinite where there is none, and the margin there.
        end: (R,) float64 the first level that is out of reach: beyond `largest`, or with logits that are not finite.
        slope: (R,) float64 rise of the margin per level over the step that ended at `failure`; at first, at the image.
        looks: (R,) int64 levels looked at one by one.
        steps: (R,) int64 forwards: fewer than looks where an image was known already.
    """

    def __init__(self, rays: Rays, params: GradientSearch, slope: Tensor) -> None:
        self.rays, self.params = rays, params
        finest = math.log2(params.resolution / (4 * torch.finfo(rays.eta.dtype).eps * params.largest))
        self.step = 2 ** min(params.bisections, max(0, int(finest)))  # levels; finer ones give no other image
        self.last = math.ceil(params.largest / params.resolution * self.step - 1e-9)
        rows = torch.arange(len(rays), device=slope.device)
        self.failure = torch.zeros_like(slope)
        logits = rays.problem.logits[rays.image].clone()
        if rays.discrete:  # images that are not in whole grey levels change even at w = 0
            changed = (rays.at(rows, self.failure) != rays.problem.x[rays.image]).flatten(1).any(1).nonzero()[:, 0]
            at_zero = rays.at(changed, self.failure[changed])
            logits[changed] = rays.problem.forward(at_zero, rays.image[changed])
        self.failure_margin, flips = rays.judge(rows, logits)
        self.flip = torch.where(flips, self.failure, torch.inf)
        self.flip_margin = self.failure_margin.clone()
        self.end = torch.where(torch.isnan(self.failure_margin), self.failure, self.last + 1)
        self.slope = slope * self.weight(torch.ones_like(slope))
        self.looks, self.steps = torch.zeros_like(rows), torch.zeros_like(rows)

    def weight(self, level: Tensor) -> Tensor:
        """(n,) weights w of levels (n,), `largest` at most."""
        return (level / self.step * self.params.resolution).clamp(max=self.params.largest)

    def search_limit(self) -> Tensor:
        """(R,) the level from which on a ray need not be searched.

        It is the smallest known flip on any ray of the same image, or `end` where that is smaller.
        """
        first = self.flip.new_full((len(self.rays.problem),), torch.inf)
        first.scatter_reduce_(0, self.rays.image, self.flip, "amin")
        return first[self.rays.image].minimum(self.end)

    def follow_margins(self) -> None:
        """Look at one level of each ray at a time, until none is left between its last failure and `search_limit`."""
        while True:
            limit = self.search_limit()
            rows = (self.failure + 1 < limit).nonzero()[:, 0]
            if not len(rows):
                return
            level = self.next_level(rows).clamp(max=limit[rows] - 1)
            margin, flips, classified = self.margins_at(rows, level)
            self.looks[rows] += 1
            self.steps[rows] += classified
            self.record(rows, level, margin, flips)

    def next_level(self, rows: Tensor) -> Tensor:
        """(n,) the level to look at next, beyond the last failure of the rays `rows`.

        Nothing has flipped yet: a step ahead of the last failure. The secant through the last two margins (at first, the
        slope at the image) says where the margin crosses zero; the step is `AHEAD` times as long as that, at least one
        step of `resolution`, and at most what `GROWTH` or `FIRST` allow; that much where the margin does not rise. If logits
        are not finite at a level beyond (`end`), the step goes at most half of the way to it.

        Between the last failure and the flip: where the line through their two margins crosses zero. At every eighth look
        (`HALVE`) it is the middle of the interval, which therefore shrinks even where the margin is far from a line.
        """
        failure, margin, flip = self.failure[rows], self.failure_margin[rows], self.flip[rows]
        # nothing has flipped yet
        longest = torch.where(failure > 0, (GROWTH - 1) * failure, FIRST * self.last).clamp(min=self.step)
        secant_step = torch.where(self.slope[rows] > 0, -AHEAD * margin / self.slope[rows], torch.inf)
        ahead = (failure + secant_step.clamp(min=self.step).minimum(longest)).ceil()
        end = self.end[rows]
        ahead = torch.where(end <= self.last, ahead.minimum(((failure + end) / 2).floor()), ahead)
        # between the last failure and the flip
        share = margin / (margin - self.flip_margin[rows])
        share = torch.where(self.looks[rows] % HALVE == HALVE - 1, 0.5, share)
        between = (failure + share * (flip - failure)).ceil().minimum(flip - 1)
        return torch.where(torch.isfinite(flip), between, ahead).maximum(failure + 1)

    def margins_at(self, rows: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Margins (n,) and flips (n,) at levels (n,) of the rays `rows`, and (n,) bool whether an image was classified for it.

        Images in whole grey levels are often equal to that of the last failure or of the flip, whose margin is known.
        """
        margin, flips = self.failure_margin[rows], torch.zeros_like(rows, dtype=torch.bool)
        new = torch.ones_like(flips)
        if self.rays.discrete:
            image = self.rays.at(rows, self.weight(level))
            like_failure = (self.rays.at(rows, self.weight(self.failure[rows])) == image).flatten(1).all(1)
            flip = self.flip[rows]
            like_flip = (self.rays.at(rows, self.weight(flip)) == image).flatten(1).all(1) & torch.isfinite(flip)
            margin, flips = torch.where(like_flip, self.flip_margin[rows], margin), like_flip
            new = ~like_failure & ~like_flip
        margin[new], flips[new] = self.rays.margins(rows[new], self.weight(level[new]))
        return margin, flips, new

    def record(self, rows: Tensor, level: Tensor, margin: Tensor, flips: Tensor) -> None:
        """Move `failure`, `flip` or `end` of the rays `rows` to the levels (n,), by what was seen there.

        Args:
            rows: (n,) rays.
            level: (n,) levels between `failure` and `flip`.
            margin: (n,) margins there, NaN where logits are not finite.
            flips: (n,) bool.
        """
        flipped, broken = rows[flips], rows[torch.isnan(margin)]
        self.flip[flipped], self.flip_margin[flipped] = level[flips], margin[flips]
        self.end[broken], self.flip[broken] = level[torch.isnan(margin)], torch.inf  # nothing beyond it counts
        fails = ~flips & ~torch.isnan(margin)
        failed, level, margin = rows[fails], level[fails], margin[fails]
        self.slope[failed] = (margin - self.failure_margin[failed]) / (level - self.failure[failed])
        self.failure[failed], self.failure_margin[failed] = level, margin

    def scan(self) -> None:
        """Look at every step of `resolution` in ascending order, until the first flip of each image.

        Each forward classifies as many steps of all unfinished rays as fit into a batch. Those beyond a flip are not counted
        in `steps`.
        """
        steps = math.ceil(self.last / self.step)
        done = 0
        while done < steps:
            limit = self.search_limit()
            rows = ((self.failure + 1 < limit) & (limit > done * self.step + 1)).nonzero()[:, 0]
            if not len(rows):
                return
            size = min(max(1, self.rays.problem.batch_size // len(rows)), steps - done)
            levels = (
                torch.arange(done + 1, done + size + 1, device=rows.device).double().mul(self.step).clamp(max=self.last)
            )
            grid = levels.expand(len(rows), -1)
            margins, flips = self.rays.margins(rows.repeat_interleave(size), self.weight(grid.flatten()))
            margins, flips = margins.view_as(grid), flips.view_as(grid)
            undecided = torch.ones_like(rows, dtype=torch.bool)
            for k in range(size):  # up to the first flip, or the first logits that are not finite
                at = rows[undecided]
                self.steps[at] += 1
                self.record(at, grid[undecided, k], margins[undecided, k], flips[undecided, k])
                undecided = undecided & ~flips[:, k] & ~torch.isnan(margins[:, k])
            done += size

    def result(self) -> SearchResult:
        """The smallest flips, and the status of each ray that says why there is none."""
        flips = torch.isfinite(self.flip)
        status = torch.where(self.end <= self.last, int(Status.NONFINITE), int(Status.NO_FLIP_AT_SATURATION))
        status = torch.where(flips, int(Status.SUCCESS), status)
        return SearchResult(self.weight(torch.where(flips, self.flip, self.failure)), status, self.steps)
