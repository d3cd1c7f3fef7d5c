"""A network behind the stages of a defense."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from torch import Tensor, nn

from advlab.defenses.draws import Draw, draw_of
from advlab.defenses.transforms.stage import LogitsFunction, Stage


class DefendedNetwork(nn.Module):
    """Images to logits, through the stages of one or more defenses; attacks know it by `advlab.attacks.defended.Defended`.

    A stage that is not differentiable has the gradient of the identity, in whatever way the network is differentiated. Random
    stages draw what is a function of their seed, of the image that comes in and of a trial alone: a call takes the trial 0.

    Args:
        network: (N, C, H, W) images to logits (N, K), or a defended network, whose stages follow these.
        stages: that an image passes before it.

    Attributes:
        differentiable: all stages are.
        random: some stage is.
        rejects: the last of the logits' columns says that the image is rejected.
    """

    def __init__(self, network: LogitsFunction, stages: Sequence[Stage]) -> None:
        super().__init__()
        if isinstance(network, DefendedNetwork):  # so that its random stages draw anew in every trial
            stages, network = [*stages, *network.stages_in_order], network.network
        self.network: LogitsFunction = network
        self.stages = nn.ModuleList(stages)
        self.differentiable = all(stage.differentiable for stage in stages)
        self.random = any(stage.random for stage in stages)
        self.rejects = any(stage.rejects for stage in stages)

    @property
    def stages_in_order(self) -> list[Stage]:
        """The stages that an image passes."""
        return [stage for stage in self.stages if isinstance(stage, Stage)]

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Draw:
        """The random numbers of each of the images (n, C, H, W) in a trial, or in the trial (n,) of each."""
        return draw_of(x, trial)

    def logits(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """(n, K) logits of (n, C, H, W) images with given random numbers; None: those of trial 0."""
        if draw is None and self.random:
            draw = self.draw(x)
        logits = self.network
        for place, stage in reversed(list(enumerate(self.stages_in_order))):
            own = draw.stream(place) if stage.random and draw is not None else None
            logits = functools.partial(stage.logits, draw=own, network=logits)
        return logits(x)

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits of (n, C, H, W) images, with the random numbers of trial 0."""
        return self.logits(x)
