"""An attack that does what it is told, and a model whose logits are the first three pixels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

PIXELS = (1, 2, 3)


W = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0]])  # logits: the first three pixels


def first_pixels(x: Tensor) -> Tensor:
    return 10 * x.flatten(1) @ W.to(x).T


def with_largest(*tops: int) -> Tensor:
    """One image for each class to be predicted."""
    x = torch.full((len(tops), 6), 0.25)
    x[range(len(tops)), list(tops)] = 0.75
    return x.view(-1, *PIXELS)


@dataclass(frozen=True, kw_only=True)
class Fake(Attack):
    """Says `says` of every image after it made the pixel of class `to` the largest; keeps the problem that it was given."""

    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    extra_inputs: ClassVar[tuple[str, ...]] = ("basis",)
    norm: Literal["l1", "l2", "linf"] = "l2"
    says: int = int(Status.SUCCESS)
    to: int = -1
    seen: list[Problem] = dataclasses.field(default_factory=list)

    def run(self, problem: Problem) -> AlgorithmResult:
        self.seen.append(dataclasses.replace(problem))
        adv = problem.x.clone()
        if self.to >= 0:
            adv.view(len(adv), -1)[:, self.to] = problem.bounds[1]
        n = len(adv)
        status, steps, epsilon = torch.full((n,), self.says), torch.full((n,), 3), torch.full((n,), 0.5)
        return AlgorithmResult(adv, status, steps, epsilon=epsilon, facts={"a": 1})


X, Y = with_largest(0, 1, 2, 0), torch.tensor([0, 1, 2, 1])  # the last one is classified wrongly
