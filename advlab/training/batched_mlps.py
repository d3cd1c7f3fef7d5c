"""Many small perceptrons of one architecture trained at once, each on points of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


class BatchedMLPs:
    """S multilayer perceptrons with tanh and without biases, whose weights are stacked: one batched product a layer.

    Args:
        networks: S.
        widths: inputs, hidden widths, outputs.
        deviation: standard deviation of the normal distribution from which the initial weights are drawn, which are the same
            for all S; 0: 1 / sqrt(inputs) in each layer.
        generator: of the initial weights, on the CPU.
        device: where the weights live.

    Attributes:
        weights: one (S, inputs, outputs) a layer.

    Raises:
        ValueError: a number is below 1, or the deviation below 0.
    """

    def __init__(
        self,
        networks: int,
        widths: Sequence[int],
        *,
        deviation: float,
        generator: Generator,
        device: torch.device | str,
    ) -> None:
        if networks < 1 or len(widths) < 2 or min(widths) < 1 or deviation < 0:
            raise ValueError(
                f"networks and widths must be above 0, deviation 0 or more, got {networks}, {list(widths)} and {deviation}"
            )
        self.weights = [
            (torch.randn(m, n, generator=generator) * (deviation or m**-0.5)).to(device).expand(networks, m, n).clone()
            for m, n in pairwise(widths)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """(S, N, outputs) logits of points (S, N, inputs), or (N, inputs) for all."""
        for weight in self.weights[:-1]:
            x = torch.tanh(x @ weight)
        return x @ self.weights[-1]

    def logits_of(self, network: int, x: Tensor) -> Tensor:
        """(N, outputs) logits of points (N, inputs) by one of the networks, counted from 0."""
        for weight in self.weights[:-1]:
            x = torch.tanh(x @ weight[network])
        return x @ self.weights[-1][network]

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
        """Train by Adam on the cross-entropy, each network on its own points, while the learning rate falls as a cosine.

        What a network learns does not depend on the others: the summed loss has no term with the weights of two networks.

        Args:
            points: S tensors (N_s, inputs).
            labels: S tensors (N_s,) int64.
            steps: of Adam.
            batch: points of each network in a step, drawn with replacement.
            lr: learning rate of the first step.
            generator: of the batches, on the CPU.

        Raises:
            ValueError: there are not S sets of points, or one is empty.
        """
        device, networks = self.weights[0].device, len(self.weights[0])
        sizes = torch.tensor([len(y) for y in labels])
        if len(points) != networks or len(labels) != networks or int(sizes.min()) < 1:
            raise ValueError(f"{networks} sets of at least one point are needed, got {sizes.tolist()}")
        # the sets lie behind each other; the points of network s begin at starts[s]
        x, y = torch.cat(list(points)).to(device), torch.cat(list(labels)).to(device)
        starts = F.pad(sizes.cumsum(0), (1, 0))[:-1]
        weights = [weight.requires_grad_() for weight in self.weights]
        optimizer = torch.optim.Adam(weights, lr=lr, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            # the same uniform numbers choose the points of every network, so that their batches are paired
            uniform = torch.rand(batch, generator=generator, dtype=torch.float64)
            index = (starts[:, None] + (uniform * sizes[:, None]).long()).to(device)
            loss = F.cross_entropy(self(x[index]).flatten(0, 1), y[index].flatten(), reduction="sum") / batch
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        self.weights = [weight.detach() for weight in weights]
