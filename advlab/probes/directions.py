"""Directions that lead out of an image's class, in the place of noise: aghdam2017 calls random noise adversarial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from advlab.context import Context
    from advlab.probes.draws import Draws

START = -1  # the radius index whose draws are the random starts: no radius has it


class AdversarialDirections:
    """T directions a sample, each found from a random start of its own; `fill` as `Draws` has it.

    Trial t starts at x + spread u_t / ||u_t||_2, with u_t ~ U(-1, 1)^D of the sample's own draws. Its direction is the
    gradient of the cross-entropy there (`fgv`, Rozsa et al. 2016), or the perturbation that DeepFool finds from there
    without clipping (`deepfool`). From the image itself there would be one direction, and nothing to take a range
    over. The directions of a sample serve all radii. Where a gradient is zero, or DeepFool fails, the direction is
    NaN, and its scores are counted as not finite.

    Args:
        ctx: the run: network, images and probe.
        noise: the draws of the starts.
    """

    def __init__(self, ctx: Context, noise: Draws) -> None:
        self.size, self.kind = noise.size, noise.kind
        self._ctx, self._noise = ctx, noise
        self._sample, self._found = -1, torch.empty(0)

    def fill(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the directions of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32.
            start: first trial.
        """
        for (sample, _), rows in zip(units, out, strict=True):
            if sample != self._sample:
                self._sample, self._found = sample, self._directions(sample)
            rows.copy_(self._found[start : start + len(rows)])

    def digest(self, sample: int, radius: int, block: int, purpose: str = "") -> bytes:
        """As `Draws.digest`."""
        return self._noise.digest(sample, radius, block, purpose)

    def _directions(self, sample: int) -> Tensor:
        """(T, D) directions of one sample."""
        probe, data = self._ctx.settings.probe, self._ctx.data
        assert data is not None
        with torch.inference_mode(False), torch.enable_grad():  # attacks and gradients need tensors that they can track
            u = torch.empty(1, probe.trials, self.size, device=data.device)
            self._noise.fill([(sample, START)], u)
            u = u[0] * (probe.spread / torch.linalg.vector_norm(u[0], dim=1, keepdim=True))
            index = torch.tensor([sample])
            x = data.images(index) + u.view(-1, *data.shape)
            labels = data.labels[index.to(data.device)].expand(probe.trials).clone()
            v = self._gradients(x, labels) if probe.direction == "fgv" else self._deepfool(x, labels)
        v = v.detach().flatten(1)
        lengths = torch.linalg.vector_norm(v, dim=1, keepdim=True)
        return torch.where(lengths > 0, v / lengths, torch.nan)

    def _gradients(self, x: Tensor, labels: Tensor) -> Tensor:
        execution, network = self._ctx.execution, self._ctx.attacked
        assert execution is not None
        found = []
        for part, y in zip(x.split(execution.batch_size), labels.split(execution.batch_size), strict=True):
            tracked = part.clone().requires_grad_()
            # in float64 from the logits: the gradient of a confident score would underflow
            loss = F.cross_entropy(network(tracked).double(), y, reduction="sum")
            found.append(torch.autograd.grad(loss, tracked)[0])
        self._ctx.count(forwards=len(x), backwards=len(x))
        return torch.cat(found)

    def _deepfool(self, x: Tensor, labels: Tensor) -> Tensor:
        from advlab.attacks.zoo import DeepFool

        assert self._ctx.execution is not None
        low, high = float(x.min()), float(x.max())
        attack = DeepFool(clip="none")
        result = attack(
            self._ctx.attacked, x, labels, bounds=(min(0.0, low), max(1.0, high)),
            batch_size=self._ctx.execution.batch_size,
        )  # fmt: skip
        self._ctx.count(forwards=result.forwards, backwards=result.backwards)
        moved: Tensor = result.adv - x
        return torch.where(result.success.view(-1, 1, 1, 1), moved, 0)
