"""What a run, or one unit of it, has computed: the sums that its manifest tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext


@dataclass(frozen=True)
class Tally:
    """Passes in images, attacked images with their seconds, what attacks say of themselves, and halved batches."""

    forwards: int = 0
    backwards: int = 0
    images: int = 0
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    halvings: tuple[int, ...] = ()

    @classmethod
    def of(cls, ctx: RunContext) -> Tally:
        """All that a context has counted so far."""
        counts, own = ctx.counts, 0
        halvings: tuple[int, ...] = ()
        if isinstance(ctx, NetworkContext):
            forwards = [ctx.forward, *ctx.others]
            own = sum(forward.images for forward in forwards)
            halvings = tuple(size for forward in forwards for size in forward.halvings)
        return cls(counts.forwards + own, counts.backwards, counts.images, counts.seconds, dict(counts.facts), halvings)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.forwards + other.forwards, self.backwards + other.backwards, self.images + other.images,
            self.seconds + other.seconds, {**self.facts, **other.facts}, (*self.halvings, *other.halvings),
        )  # fmt: skip

    def __sub__(self, before: Tally) -> Tally:
        """What was counted since; `before` is an earlier tally of the same context."""
        return Tally(
            self.forwards - before.forwards, self.backwards - before.backwards, self.images - before.images,
            self.seconds - before.seconds, self.facts, self.halvings[len(before.halvings) :],
        )  # fmt: skip
