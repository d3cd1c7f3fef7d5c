"""A network as attacks see it: logits and gradients of batches of images, every one of them counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from advlab.attacks.defended import Defended, gradient_kind
from advlab.attacks.logits import as_logits
from advlab.attacks.rejection import without_reject
from advlab.errors import ArgumentError
from advlab.models.input_gradient import input_gradient

LogitsFunction = Callable[[Tensor], Tensor]


def memory_format(model: LogitsFunction) -> torch.memory_format:
    """The memory format of the model's convolutions, into which its input is brought."""
    if isinstance(model, nn.Module):
        for parameter in model.parameters():
            if parameter.ndim == 4 and not parameter.is_contiguous():
                return torch.channels_last
    return torch.contiguous_format


class CountedNetwork:
    """Logits and gradients of a model, in batches.

    Of a defended network that is random, everything is the mean of the logits over `draws` trials of each image: those from 0
    on for the attack, and as many further ones, which it has not seen, to judge its result.

    Args:
        model: images (n, C, H, W) to logits (n, K).
        batch_size: images a forward, at most.
        draws: of a random network.
        sees_rejection: give the reject output, where there is one, as one more class.

    Attributes:
        forwards, backwards: number of images that went through the model, and back through it, so far; each draw counts.
        batch_size: images at a time; of a random network so many that their draws fill a forward.
        draws: 1 where the network is not random.
        random, rejects: as `Defended` says.
        folds: the network rejects, and `logits` are those of its classes alone (`rejection.without_reject`).
    """

    def __init__(self, model: LogitsFunction, batch_size: int, draws: int = 1, *, sees_rejection: bool = False) -> None:
        self.model = model
        self.defended = model if isinstance(model, Defended) else None
        self.random = self.defended is not None and self.defended.random
        self.rejects = self.defended is not None and self.defended.rejects
        self.folds = self.rejects and not sees_rejection
        self.draws = draws if self.random else 1
        self.batch_size, self._rows = max(1, batch_size // self.draws), batch_size
        self.forwards = self.backwards = 0
        self._format = memory_format(model)

    def raw_logits(self, x: Tensor, *, judging: bool = False) -> Tensor:
        """(n, K) logits of one batch, with the reject output where there is one, and with a graph if the mode records one.

        Args:
            x: (n, C, H, W).
            judging: of a random network: on the draws that the attack has not seen.

        Raises:
            ArgumentError: the model gives something else than logits.
        """
        if self.random:
            return self._mean_logits(x, self.draws if judging else 0)
        self.forwards += len(x)
        return as_logits(self.model(x.contiguous(memory_format=self._format)), len(x)).to(x.dtype)

    def _mean_logits(self, x: Tensor, first: int) -> Tensor:
        """(n, K) mean of the logits over the trials `first` to `first` + `draws` - 1 of each image.

        Trials go in pieces of a forward. That bounds the memory without a graph alone: a gradient's graph holds all draws of
        the n images until it is used. So one image with all its draws is the least that must fit.
        """
        assert self.defended is not None
        total: Any = 0
        for trials in torch.arange(first, first + self.draws, device=x.device).split(max(1, self._rows // len(x))):
            copies = x.repeat_interleave(len(trials), 0).contiguous(memory_format=self._format)
            self.forwards += len(copies)
            drawn = self.defended.draw(copies, trials.repeat(len(x)))
            logits = as_logits(self.defended.logits(copies, drawn), len(copies))
            total = total + logits.view(len(x), len(trials), -1).sum(1)
        mean: Tensor = total / self.draws
        return mean

    def logits(self, x: Tensor, own: Tensor | None = None) -> Tensor:
        """(n, C) logits of one batch, or (n, C + 1) with `sees_rejection`, with a graph if the caller's mode records one.

        Args:
            x: (n, C, H, W).
            own: (n,) class that stands for the rejection as well (`rejection.without_reject`), where the network rejects.

        Raises:
            ArgumentError: the model gives something else than logits.
        """
        logits = self.raw_logits(x)
        return without_reject(logits, own) if self.folds else logits

    def raw_forward(self, x: Tensor, *, judging: bool = False) -> Tensor:
        """As `raw_logits`, without a graph; `x` (n, C, H, W), at least one image, may be longer than a batch."""
        with torch.inference_mode():
            if len(x) <= self.batch_size:
                return self.raw_logits(x, judging=judging).clone()
            return torch.cat([self.raw_logits(part, judging=judging) for part in x.split(self.batch_size)])

    def forward(self, x: Tensor, own: Tensor | None = None) -> Tensor:
        """As `logits`, without a graph; `x` (n, C, H, W), at least one image, may be longer than a batch."""
        logits = self.raw_forward(x)
        return without_reject(logits, own) if self.folds else logits

    def linearise(self, x: Tensor, own: Tensor | None = None) -> Linearisation:
        """Logits, as `logits` gives them, and vector-Jacobian products at one batch of images, of at most `batch_size`."""
        return Linearisation(self, x, own)

    def facts(self) -> dict[str, Any]:
        """What a result says of a defended network and of how it was attacked; nothing of others."""
        defended = self.defended
        if defended is None:
            return {}
        facts: dict[str, Any] = {
            "differentiable": defended.differentiable,
            "random": self.random,
            "rejects": self.rejects,
        }
        if self.random:
            facts["draws"] = self.draws
        return {"defense": {**facts, "gradient": gradient_kind(defended)}}


class Linearisation:
    """Logits at some images and, from the same forward, as many vector-Jacobian products as are asked for.

    Attributes:
        logits: (n, C), detached; as `CountedNetwork.logits`.
        raw_logits: (n, K), detached, with the reject output where there is one.

    Raises:
        ArgumentError: the model's logits have no gradient with respect to the images.
    """

    def __init__(self, network: CountedNetwork, x: Tensor, own: Tensor | None = None) -> None:
        self._network = network
        with torch.enable_grad():
            self._x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            raw = network.raw_logits(self._x)
            self._logits = without_reject(raw, own) if network.folds else raw
        if not self._logits.requires_grad:
            raise ArgumentError(
                "the model's logits have no gradient with respect to the images: it must be differentiable, and call "
                "neither detach nor torch.no_grad"
            )
        self.logits = self._logits.detach()
        self.raw_logits = raw.detach()

    def vjp(self, cotangent: Tensor, *, last: bool = False) -> Tensor:
        """(n, C, H, W) gradients of sum_k cotangent[i, k] logits[i, k] with respect to image i.

        Args:
            cotangent: (n, C).
            last: no further product will be asked for; frees the graph.
        """
        self._network.backwards += len(self._x) * self._network.draws
        return input_gradient(self._logits, self._x, cotangent, retain_graph=not last)
