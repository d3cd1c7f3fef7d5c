"""The smallest weight w for which x + w eta flips the class: one gradient gave eta, the search takes forwards alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from advlab.attacks.gradient_search.params import Search
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.gradient_search.state import State, begin, pick, scan
from advlab.attacks.status import Status

SAFETY = 4.0  # logits may bend this many times more between two weights than they were seen to along the ray
GROWTH = 8.0  # longest step forward, in lengths of the step before
NUDGE = 0.02  # how far beyond the estimated flip to look, in its distance from the nearer end of the interval
NEAR = 0.9  # a flip expected within so many final intervals of an end of the interval may be settled by one look,
LAST = 0.99  # so many of them away
HALVE = 8  # every so many looks the interval is halved, whatever is expected
AHEAD = 0.05  # the same where nothing has flipped yet, in its distance from the last failure


@dataclass(frozen=True)
class Found:
    """Where the search ended, for each ray.

    Attributes:
        w: (R,) float64 smallest weight that flips; where there is none, the largest known to be no flip.
        status: (R,) int64 of `Status`.
        steps: (R,) int64 forwards.
    """

    w: Tensor
    status: Tensor
    steps: Tensor


def search(rays: Rays, params: Search, guess: Tensor) -> Found:
    """The smallest weights that flip, up to `params.largest`; of several rays from one image only the first flip counts.

    An image that the economical search leaves without a flip is scanned at every step before it is called a failure.

    Args:
        rays: where to look.
        params: hyperparameters.
        guess: (R,) of the weight.
    """
    found = approach(rays, params, guess)
    if params.exhaustive:
        return found
    solved = torch.zeros(len(rays.problem), dtype=torch.bool, device=guess.device)
    solved[rays.image[found.status == Status.SUCCESS]] = True
    missing = ((found.status == Status.NO_FLIP_AT_SATURATION) & ~solved[rays.image]).nonzero()[:, 0]
    if len(missing):
        goals = None if rays.goals is None else rays.goals[missing]
        rest = Rays(rays.problem, rays.eta[missing], rays.image[missing], goals, rays.discrete)
        again = approach(rest, replace(params, exhaustive=True), guess[missing])
        found.w[missing], found.status[missing] = again.w, again.status
        found.steps[missing] += again.steps
    return found


def approach(rays: Rays, params: Search, guess: Tensor) -> Found:
    """The search itself; the arguments are those of `search`.

    Weights are tried from the left: where the leads, extrapolated, cross zero, and once something has flipped, between
    the last failure and the flip, until these are 2^-bisections steps of the scan apart. What lies before a failure is
    taken for failures too if leads that bend `SAFETY` times more than they were ever seen to stay below zero there;
    otherwise it is halved, down to the steps of the scan. How much they bend is seen from three weights: where the second
    is a failure, the third lies ahead of it, and is mostly near the flip.
    """
    step, end = params.resolution, params.largest / params.resolution
    tolerance = 2.0**-params.bisections
    state = begin(rays, params)
    if params.exhaustive:
        state = scan(state, rays, params)
    guess = guess.double() / step
    best = guess.new_full((len(rays.problem),), torch.inf)  # first flip of each image, over its rays that are done
    w, status = torch.zeros_like(guess), torch.full_like(state.row, int(Status.NO_FLIP_AT_SATURATION))
    steps = torch.zeros_like(state.row)
    image, fine = rays.image, 4 * torch.finfo(rays.eta.dtype).eps
    while True:
        limit = best.scatter_reduce(0, image[state.row], state.f, "amin")[image[state.row]].clamp(max=end)
        flipped = torch.isfinite(state.f) & (state.f - state.a <= (fine * state.f).clamp(min=tolerance))
        broken = ~torch.isfinite(state.f) & (state.bad <= state.a.floor() + 1)
        done = flipped | broken | (state.a >= limit)
        if bool(done.any()):
            over = state.keep(done)
            w[over.row] = torch.where(flipped[done], over.f, over.a) * step
            status[over.row[flipped[done]]] = int(Status.SUCCESS)
            best.scatter_reduce_(0, image[over.row], torch.where(flipped[done], over.f, torch.inf), "amin")
            status[over.row[broken[done]]] = int(Status.NONFINITE)
            steps[over.row] = over.steps
            state, limit = state.keep(~done), limit[~done]
        if not len(state.row):
            return Found(w.clamp(max=params.largest), status, steps)
        c = choose(state, limit, guess[state.row], tolerance, rays)
        state = learn(state, c, *look(state, c, step, rays), rays)


def choose(state: State, limit: Tensor, guess: Tensor, tolerance: float, rays: Rays) -> Tensor:
    """(n,) weights to look at next, between `a` and `limit`."""
    h, nudge = state.f - state.a, 0.45 * tolerance
    # inside: between the last failure and the flip
    slope = (state.lf - state.la) / h[:, None] - state.turn * h[:, None]
    u = rays.crossing(state.la, slope, state.turn).clamp(max=h)
    beyond = (NUDGE * torch.minimum(u, h - u)).clamp(min=nudge)
    aside = torch.where(u < h / 2, u + beyond, u - beyond).clamp(min=nudge).minimum(h - nudge)
    # where the flip should be so near to an end that one look on its other side is the last
    near, final = NEAR * tolerance, LAST * tolerance
    u = torch.where(h - u < near, h - final, torch.where(u < near, final, aside))
    halve = (state.steps % HALVE == HALVE - 1) | (h < 1.5 if rays.discrete else h < 0)
    inside = torch.where(halve, h / 2, u)
    # ahead: nothing has flipped yet
    last = state.a - state.p
    slope = (state.la - state.lp) / last[:, None] + state.turn * last[:, None]
    u = rays.crossing(state.la, slope, state.turn)
    u = (u * (1 + AHEAD)).clamp(min=nudge).minimum(GROWTH * last)
    u = torch.where(last < 1, u.clamp(min=1), u)
    ahead = torch.where(torch.isnan(last), guess.clamp(min=1), u)
    ahead = (state.a + ahead).minimum(((state.a + state.bad) / 2).floor().maximum(state.a.floor() + 1))
    c = torch.where(torch.isfinite(h), state.a + inside, ahead)
    # back to the middle of what may hide a flip; how much leads bend is first seen from beyond it
    middle = ((state.a + state.b) / 2).round().maximum(state.a.floor() + 1).minimum(state.b.ceil() - 1)
    last = state.b - state.a
    u = rays.crossing(state.lb, (state.lb - state.la) / last[:, None], torch.zeros_like(state.lb))
    beyond = state.b + (u * (1 + AHEAD)).clamp(min=1).minimum(last)
    unseen = torch.isnan(state.bend) & (beyond < limit.minimum(state.bad))
    return torch.where(torch.isnan(state.b), c, torch.where(unseen, beyond, middle)).minimum(limit)


def look(state: State, c: Tensor, step: float, rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
    """Leads (n, K - 1) at `c`, what their margin must exceed (n,), and whether (n,) a forward was needed for it.

    Rounded images are often those of `a`, `b` or `f` once more: what is known is not classified again.
    """
    leads, threshold = state.la.clone(), torch.full_like(c, torch.inf)  # as if all were like `a`, which did not flip
    new = torch.ones_like(c, dtype=torch.bool)
    if rays.discrete:
        image = rays.at(state.row, c * step)
        for w, known, bar in (
            (state.a, state.la, torch.inf),
            (state.b, state.lb, torch.inf),
            (state.f, state.lf, 0.0),
        ):
            like = new & (rays.at(state.row, w * step) == image).flatten(1).all(1)  # never where there is no such w
            leads, threshold, new = pick(like, known, leads), threshold.masked_fill(like, bar), new & ~like
    where = new.nonzero()[:, 0]
    if len(where):
        rows = state.row[where]
        found, above = rays.leads(rays.logits(rows, c[where] * step), rows)
        leads[where], threshold[where] = found.double(), above.double()
    return leads, threshold, new


def learn(state: State, c: Tensor, leads: Tensor, threshold: Tensor, counted: Tensor, rays: Rays) -> State:
    """The state after the leads at `c`, between `a` and `b` or `f`."""
    bad = torch.isnan(threshold)
    hit = rays.best(leads) > threshold  # not where bad
    p, lp, a, la, b, lb, bend = state.p, state.lp, state.a, state.la, state.b, state.lb, state.bend
    # a look beyond the failure b shows how much leads bend; nothing between a and b may flip by that
    beyond = c > b
    bend = torch.fmax(bend, torch.where(bad, torch.nan, second(a, b, c, la, lb, leads).abs().amax(1)))
    rest = beyond & sure(a, b, la, lb, bend, rays)
    p, lp, a, la = pick(rest, a, p), pick(rest, la, lp), pick(rest, b, a), pick(rest, lb, la)
    hidden, b = torch.where(beyond & ~rest, b, torch.nan), torch.where(beyond, torch.nan, b)
    right, lr = pick(torch.isnan(b), state.f, b), pick(torch.isnan(b), state.lf, lb)
    before, after = second(p, a, c, lp, la, leads), second(a, c, right, la, leads, lr)
    turns = torch.stack([before, after]).abs().amax(2)
    bend = torch.fmax(bend, torch.where(bad, torch.nan, torch.fmax(turns[0], turns[1])))
    # certain: nothing between a and c flips, since c does not
    free = ~bad & ~hit
    certain = free & sure(a, c, la, leads, bend, rays)
    p, lp, a, la = pick(certain, a, p), pick(certain, la, lp), pick(certain, c, a), pick(certain, leads, la)
    b, lb = pick(free & ~certain, c, b), pick(free & ~certain, leads, lb)
    b = torch.where(hit | bad, hidden, b)
    # what was halved: the other half may be certain by now
    rest = certain & sure(a, b, la, lb, bend, rays)
    p, lp, a, la = pick(rest, a, p), pick(rest, la, lp), pick(rest, b, a), pick(rest, lb, la)
    b = torch.where(rest, torch.nan, b)
    return State(
        row=state.row, p=p, a=a, b=b, f=torch.where(bad, torch.inf, pick(hit, c, state.f)), bad=pick(bad, c, state.bad),
        lp=lp, la=la, lb=lb, lf=pick(hit, leads, state.lf), bend=bend, steps=state.steps + counted,
        turn=torch.where(torch.isnan(before) | bad[:, None], state.turn, before),
    )  # fmt: skip


def second(p: Tensor, a: Tensor, c: Tensor, lp: Tensor, la: Tensor, lc: Tensor) -> Tensor:
    """(n, K - 1) half the second derivative of leads at p < a < c; NaN where these are too near for it, or unknown."""
    far = ((a - p) >= 1) & ((c - a) >= 1) & torch.isfinite(c)
    left, right, whole = ((end - start)[:, None] for start, end in ((p, a), (a, c), (p, c)))
    return torch.where(far[:, None], ((lc - la) / right - (la - lp) / left) / whole, torch.nan)


def sure(a: Tensor, c: Tensor, la: Tensor, lc: Tensor, bend: Tensor, rays: Rays) -> Tensor:
    """(n,) whether no step of the scan between the failures `a` and `c` can flip.

    A lead that goes from l_a to l_c over a length h, with a second derivative of at most 2 B in absolute value, reaches
    (l_a + l_c) / 2 + q + (l_c - l_a)^2 / (16 q), q = B h^2 / 4, unless it stays below the higher end.
    """
    h = c - a
    change = (lc - la).abs()
    bend = torch.where(torch.isnan(bend), change.amax(1) / h**2, bend)
    q = (SAFETY * bend * h**2 / 4)[:, None]
    top = torch.where(change < 4 * q, (la + lc) / 2 + q + change**2 / (16 * q), torch.maximum(la, lc))
    return torch.isfinite(h) & ((rays.best(top) <= 0) | (c <= a.floor() + 1))
