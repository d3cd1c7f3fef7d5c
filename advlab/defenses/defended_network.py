"""A network behind the stages of a defense."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from advlab.attacks.defended import Defended
from advlab.defenses.draws import Draw, draw_of
from advlab.defenses.transforms.stage import LogitsFunction, Stage
from advlab.errors import ArgumentError


@dataclass(frozen=True)
class NestedDraw(Draw):
    """What the stages draw, and what the defended network behind them draws (`own`)."""

    own: Any


class DefendedNetwork(nn.Module):
    """Images to logits, through the stages of one or more defenses; attacks know it by `advlab.attacks.defended.Defended`.

    A stage that is not differentiable has the gradient of the identity, in whatever way the network is differentiated. Random
    stages draw what is a function of their seed, of the image that comes in and of a trial alone: a call takes the trial 0.

    Args:
        network: (N, C, H, W) images to logits (N, K). Of a `DefendedNetwork`, or of a classifier that holds one as `defended`,
            the stages follow these; any other network that satisfies `Defended` comes last, and draws by itself.
        stages: that an image passes before it.

    Attributes:
        differentiable: all stages are, and the network.
        random: some stage is, or the network.
        rejects: the last of the logits' columns says that the image is rejected.

    Raises:
        ArgumentError: both a stage and the network behind it reject.
    """

    def __init__(self, network: LogitsFunction, stages: Sequence[Stage]) -> None:
        super().__init__()
        inner = getattr(network, "defended", network) if isinstance(network, Defended) else network
        own_stages = list(stages)
        if isinstance(inner, DefendedNetwork):  # so that its random stages draw anew in every trial
            stages, network = [*stages, *inner.stages_in_order], inner.network
        self.network: LogitsFunction = network
        self.stages = nn.ModuleList(stages)
        parts = [*stages, *([network] if isinstance(network, Defended) else [])]
        self.differentiable = all(part.differentiable for part in parts)
        self.random = any(part.random for part in parts)
        self.rejects = any(part.rejects for part in parts)
        if any(stage.rejects for stage in own_stages) and any(part.rejects for part in parts[len(own_stages) :]):
            raise ArgumentError("the network behind the defense rejects images already: only one of the two can")

    @property
    def stages_in_order(self) -> list[Stage]:
        """The stages that an image passes."""
        return [stage for stage in self.stages if isinstance(stage, Stage)]

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Draw:
        """The random numbers of each of the images (n, C, H, W) in a trial, or in the trial (n,) of each."""
        draw = draw_of(x, trial)
        if isinstance(self.network, Defended) and self.network.random:
            return NestedDraw(draw.keys, self.network.draw(x, trial))
        return draw

    def logits(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """(n, K) logits of (n, C, H, W) images with given random numbers; None: those of trial 0."""
        if draw is None and self.random:
            draw = self.draw(x)
        logits = self.network
        if isinstance(draw, NestedDraw) and isinstance(logits, Defended):
            logits = functools.partial(logits.logits, draw=draw.own)
        for place, stage in reversed(list(enumerate(self.stages_in_order))):
            own = draw.stream(place) if stage.random and draw is not None else None
            logits = functools.partial(stage.logits, draw=own, network=logits)
        return logits(x)

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits of (n, C, H, W) images, with the random numbers of trial 0."""
        return self.logits(x)
