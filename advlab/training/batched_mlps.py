"""Many small perceptrons of one architecture trained at once, each on points of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


class BatchedMLPs:
    """S multilayer perceptrons with tanh and without biases, as products of stacked matrices.

    Args:
        count: S.
        widths: inputs, hidden widths, outputs.
        deviation: of the normal distribution of the initial weights, the same weights for all S; 0: of each layer
            1 / sqrt(inputs).
        generator: of the draws, on the CPU.
        device: where the weights live.

    Attributes:
        weights: one (S, inputs, outputs) a layer.

    Raises:
        ValueError: a number is below 1, or the deviation below 0.
    """

    def __init__(
        self, count: int, widths: Sequence[int], *, deviation: float, generator: Generator, device: torch.device | str
    ) -> None:
        if count < 1 or len(widths) < 2 or min(widths) < 1 or deviation < 0:
            raise ValueError(
                f"count and widths must be above 0, deviation 0 or more, got {count}, {list(widths)} and {deviation}"
            )
        self.weights = [
            (torch.randn(m, n, generator=generator) * (deviation or m**-0.5)).to(device).expand(count, m, n).clone()
            for m, n in pairwise(widths)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """(S, N, outputs) logits of points (S, N, inputs), or (N, inputs) for all."""
        for weight in self.weights[:-1]:
            x = torch.tanh(x @ weight)
        return x @ self.weights[-1]

    def one(self, index: int, x: Tensor) -> Tensor:
        """(N, outputs) logits of points (N, inputs) by one of them."""
        for weight in self.weights[:-1]:
            x = torch.tanh(x @ weight[index])
        return x @ self.weights[-1][index]

    def fit(
        self,
        points: Sequence[Tensor],
        labels: Sequence[Tensor],
        *,
        steps: int,
        batch: int,
        lr: float,
        generator: Generator,
    ) -> None:
        """Train by Adam on the cross-entropy, each with batches drawn from its own points, the rate falling as a cosine.

        What one learns does not depend on the others.

        Args:
            points: S tensors (N_s, inputs).
            labels: S tensors (N_s,) int64.
            steps: of Adam.
            batch: points of each in a step, drawn with replacement.
            lr: rate of the first step.
            generator: of the batches, on the CPU.

        Raises:
            ValueError: there are not S sets of points, or one is empty.
        """
        device, count = self.weights[0].device, len(self.weights[0])
        sizes = torch.tensor([len(y) for y in labels])
        if len(points) != count or len(labels) != count or int(sizes.min()) < 1:
            raise ValueError(f"{count} sets of at least one point are needed, got {sizes.tolist()}")
        x, y = torch.cat(list(points)).to(device), torch.cat(list(labels)).to(device)
        first = F.pad(sizes.cumsum(0), (1, 0))[:-1]
        weights = [weight.requires_grad_() for weight in self.weights]
        optimizer = torch.optim.Adam(weights, lr=lr, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            drawn = torch.rand(batch, generator=generator, dtype=torch.float64)  # shared: paired over the students
            index = (first[:, None] + (drawn * sizes[:, None]).long()).to(device)
            loss = F.cross_entropy(self(x[index]).flatten(0, 1), y[index].flatten(), reduction="sum") / batch
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        self.weights = [weight.detach() for weight in weights]
