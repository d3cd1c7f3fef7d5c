"""Directions that lead out of an image's class, in the place of noise: aghdam2017 calls random noise adversarial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from advlab.lab.context import Context
    from advlab.probes.draws import Draws

KEPT = 1 << 26  # values of directions that are remembered
START = -1  # the radius index whose draws are the random starts: no radius has it


class AdversarialDirections:
    """T directions a sample, each found from a random start of its own; `fill` as `Draws` has it.

    Trial t starts at x + spread u_t / ||u_t||_2, with u_t ~ U(-1, 1)^D of the sample's own draws. Its direction is the
    gradient of the cross-entropy there (`fgv`, Rozsa et al. 2016), or the perturbation that DeepFool finds from there
    without clipping (`deepfool`). From the image itself there would be one direction, and nothing to take a range
    over. The directions of a sample serve all radii. Where DeepFool fails, which it does from a start outside the class,
    the gradient takes its place; where a gradient is zero, the direction is NaN, and its scores count as not finite.

    Args:
        ctx: the run: network, images and probe.
        noise: the draws of the starts.
    """

    def __init__(self, ctx: Context, noise: Draws) -> None:
        self.size, self.kind = noise.size, noise.kind
        self._ctx, self._noise = ctx, noise
        self._found: dict[int, Tensor] = {}  # of the last samples: a cell asks for each several times

    def fill(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the directions of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32.
            start: first trial.
        """
        for (sample, _), rows in zip(units, out, strict=True):
            if sample not in self._found:
                directions = self._directions(sample)
                while self._found and (len(self._found) + 1) * directions.numel() > KEPT:
                    self._found.pop(next(iter(self._found)))
                self._found[sample] = directions
            rows.copy_(self._found[sample][start : start + len(rows)])

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
            logits, column = network(tracked), y[:, None]
            # log((1 - p) / p): its gradient is that of the cross-entropy / (1 - p), and does not underflow where p is near 1
            others = logits.scatter(1, column, -torch.inf).logsumexp(1)
            found.append(torch.autograd.grad((others - logits.gather(1, column)[:, 0]).sum(), tracked)[0])
        self._ctx.count(forwards=len(x), backwards=len(x))
        return torch.cat(found)

    def _deepfool(self, x: Tensor, labels: Tensor) -> Tensor:
        from advlab.attacks import DeepFool

        assert self._ctx.execution is not None
        low, high = float(x.min()), float(x.max())
        attack = DeepFool(clip="none")
        result = attack(
            self._ctx.attacked, x, labels, bounds=(min(0.0, low), max(1.0, high)),
            batch_size=self._ctx.execution.batch_size,
        )  # fmt: skip
        self._ctx.count(forwards=result.forwards, backwards=result.backwards)
        moved: Tensor = result.adv - x
        failed = ~result.success
        if bool(failed.any()):
            moved[failed] = self._gradients(x[failed], labels[failed])
        return moved
