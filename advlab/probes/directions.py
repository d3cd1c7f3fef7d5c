"""Directions that lead out of an image's class, in the place of noise: aghdam2017 calls random noise adversarial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from advlab.attacks import DeepFool
from advlab.data.images import ImageData
from advlab.metrics.loss_gradient import cross_entropy_direction
from advlab.models.input_gradient import input_gradient
from advlab.probes.draws import Draws
from advlab.probes.sphere import Sphere

REMEMBERED_VALUES = 1 << 26  # float32 values of directions that are kept in memory, at most: 256 MiB
#: The random starts are the noise of this radius index, which no radius of the probe has.
STARTS_RADIUS_INDEX = -1


class AdversarialDirections:
    """T adversarial directions a sample, each computed at its own random point near the image.

    Offers the methods of `Draws`.

    Trial t starts at x + spread u_t / ||u_t||_2, with u_t ~ U(-1, 1)^D of the sample's own draws. Its direction is the
    gradient of the cross-entropy there (`fgv`, Rozsa et al. 2016), or the perturbation that DeepFool finds from there
    without clipping (`deepfool`). From the image itself there would be one direction, and nothing to take a range
    over. The directions of a sample serve all radii. Where DeepFool fails, which it does from a start outside the class,
    the gradient takes its place; where a gradient is zero, the direction is NaN, and its scores count as not finite.

    Args:
        noise: the draws of the starts.
        probe: its direction (`fgv` or `deepfool`), spread and number of trials.
        data: the images, and their labels.
        network: (n, C, H, W) images to (n, K) logits, differentiable.
        batch_size: images a forward, at most.
        count: told how many images went forward and backward, as `forwards=` and `backwards=`.
    """

    def __init__(
        self,
        noise: Draws,
        probe: Sphere,
        data: ImageData,
        network: Callable[[Tensor], Tensor],
        *,
        batch_size: int,
        count: Callable[..., None],
    ) -> None:
        self.size, self.kind = noise.size, noise.kind
        self._noise, self._probe, self._data, self._network = noise, probe, data, network
        self._batch_size, self._count = batch_size, count
        self._remembered: dict[int, Tensor] = {}  # (T, D) of the last samples: a cell asks for each several times

    def write_directions(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the directions of several units.

        Args:
            units: (sample index in the dataset, radius index) of each.
            out: (units, trials, D) float32.
            start: first trial.
        """
        for (sample, _), rows in zip(units, out, strict=True):
            if sample not in self._remembered:
                directions = self._directions(sample)
                while self._remembered and (len(self._remembered) + 1) * directions.numel() > REMEMBERED_VALUES:
                    self._remembered.pop(next(iter(self._remembered)))
                self._remembered[sample] = directions
            rows.copy_(self._remembered[sample][start : start + len(rows)])

    def digest(self, sample: int, radius: int, block: int, purpose: str = "") -> bytes:
        """As `Draws.digest`."""
        return self._noise.digest(sample, radius, block, purpose)

    def _directions(self, sample: int) -> Tensor:
        """(T, D) directions of one sample."""
        probe, data = self._probe, self._data
        with torch.inference_mode(False), torch.enable_grad():  # attacks and gradients need tensors that they can track
            u = torch.empty(1, probe.trials, self.size, device=data.device)
            self._noise.write_directions([(sample, STARTS_RADIUS_INDEX)], u)
            u = u[0] * (probe.spread / torch.linalg.vector_norm(u[0], dim=1, keepdim=True))
            image, label = data.images_and_labels([sample])
            x, labels = image + u.view(-1, *data.shape), label.expand(probe.trials).clone()
            v = self._gradients(x, labels) if probe.direction == "fgv" else self._deepfool(x, labels)
        v = v.detach().flatten(1)
        lengths = torch.linalg.vector_norm(v, dim=1, keepdim=True)
        return torch.where(lengths > 0, v / lengths, torch.nan)

    def _gradients(self, x: Tensor, labels: Tensor) -> Tensor:
        """(n, C, H, W) gradients of the cross-entropy at (n, C, H, W) images, each up to a positive factor."""
        gradients = []
        for part, y in zip(x.split(self._batch_size), labels.split(self._batch_size), strict=True):
            tracked = part.clone().requires_grad_()
            logits = self._network(tracked)
            gradients.append(input_gradient(logits, tracked, cross_entropy_direction(logits.detach(), y)))
        self._count(forwards=len(x), backwards=len(x))
        return torch.cat(gradients)

    def _deepfool(self, x: Tensor, labels: Tensor) -> Tensor:
        """(n, C, H, W) perturbations by DeepFool; where it fails, the gradient of the cross-entropy."""
        low, high = float(x.min()), float(x.max())
        attack = DeepFool(clip="none", candidates=0)
        result = attack(
            self._network, x, labels, bounds=(min(0.0, low), max(1.0, high)), batch_size=self._batch_size,
        )  # fmt: skip
        self._count(forwards=result.forwards, backwards=result.backwards)
        moved: Tensor = result.adv - x
        failed = ~result.success
        if bool(failed.any()):
            moved[failed] = self._gradients(x[failed], labels[failed])
        return moved
