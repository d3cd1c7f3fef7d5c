"""Measures the mean curvature of the boundary near images, their DeepFool images and noisy ones."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import DeepFool
from advlab.geometry.hessian import image_gradient
from advlab.lab import Cell, NetworkContext

from .curvature_sign import CurvatureSign, CurvatureSignRow

ATTACK = DeepFool()  # inside of the range of pixels, where it starts from again


def measure(experiment: CurvatureSign, ctx: NetworkContext, cell: Cell) -> list[CurvatureSignRow]:
    """The rows of the images of a cell that are classified correctly and that DeepFool moves into another class."""
    x, labels = ctx.images_and_labels(cell.payload["samples"])
    attacked = ctx.attack(ATTACK, x, labels)
    found = attacked.success
    samples = torch.tensor(cell.payload["samples"], device=x.device)[found]
    if not len(samples):
        return []
    x, labels, adversarial, rivals = x[found], labels[found], attacked.adv[found], attacked.prediction[found]
    r = (adversarial - x).flatten(1)
    lengths = r.norm(dim=1)
    seed = ctx.settings.run.seed
    noise = torch.stack([unit_vectors(1, r.shape[1], seed, int(sample), 1)[0] for sample in samples]).to(x)
    noisy = (x + (noise * lengths[:, None]).view_as(x)).clamp(0, 1)
    moved = boundary_curvature(experiment, ctx, x, labels, samples)
    back = boundary_curvature(experiment, ctx, adversarial, rivals, samples)
    other = boundary_curvature(experiment, ctx, noisy, ctx.forward(noisy).argmax(1), samples)
    apart = (moved[1] - back[1]).flatten(1).norm(dim=1)
    columns = (samples, labels, rivals, lengths, moved[0], back[0], other[0], apart)
    return [CurvatureSignRow(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def boundary_curvature(
    experiment: CurvatureSign, ctx: NetworkContext, x: Tensor, labels: Tensor, samples: Tensor
) -> tuple[Tensor, Tensor]:
    """(n,) mean curvatures, float64 on the CPU, at the boundary points (n, C, H, W) that DeepFool reaches; NaN where it fails.

    Args:
        experiment: gives step and number of directions.
        ctx: of the run.
        x: (n, C, H, W).
        labels: (n,) their classes by the network.
        samples: (n,) indices, by which directions are drawn.
    """
    attacked = ctx.attack(ATTACK, x, labels)
    z, rivals = attacked.adv, attacked.prediction
    size, count = z[0].numel(), experiment.params.directions
    h = experiment.params.step * math.sqrt(size)

    def gap(logits: Tensor, k: Tensor, rival: Tensor) -> Tensor:
        return logits.gather(1, k[:, None])[:, 0] - logits.gather(1, rival[:, None])[:, 0]

    here = gap(ctx.forward(z), labels, rivals).cpu().double()
    seed, curvatures = ctx.settings.run.seed, []
    for i in range(len(z)):
        v = unit_vectors(count, size, seed, int(samples[i]), 0).to(z).view(count, *z.shape[1:])
        around = torch.cat([z[i] + h * v, z[i] - h * v])
        there = gap(ctx.forward(around), labels[i].expand(2 * count), rivals[i].expand(2 * count)).cpu().double()
        curvatures.append((there.mean() - here[i]) * (2 / h**2))
    slopes = gradient_norms(ctx, z, labels, rivals)
    found = (attacked.success & (rivals != labels)).cpu()
    return torch.where(found & (slopes > 0), torch.stack(curvatures) / slopes, math.nan), z


def gradient_norms(ctx: NetworkContext, z: Tensor, labels: Tensor, rivals: Tensor) -> Tensor:
    """(n,) |grad g| of g = F_k - F_l at (n, C, H, W) points, float64 on the CPU."""

    def call(batch: int) -> Tensor:
        norms = []
        with torch.inference_mode(False):
            for x, k, rival in zip(z.split(batch), labels.split(batch), rivals.split(batch), strict=True):
                signs = [classes[:, None].clone() for classes in (k, rival)]

                def gap(images: Tensor, signs: list[Tensor] = signs) -> Tensor:
                    logits = ctx.attack_target(images)
                    return (logits.gather(1, signs[0]) - logits.gather(1, signs[1]))[:, 0]

                norms.append(image_gradient(gap, x.clone(), False)[1].flatten(1).norm(dim=1))
        return torch.cat(norms)

    norms, _ = ctx.forward.in_batches(call)
    ctx.count(forwards=len(z), backwards=len(z))
    return norms.cpu().double()


def unit_vectors(count: int, size: int, seed: int, sample: int, purpose: int) -> Tensor:
    """(count, size) float64 random directions of a sample, on the CPU."""
    v = np.random.default_rng([seed, sample, purpose]).standard_normal((count, size))
    return torch.from_numpy(v / np.linalg.norm(v, axis=1, keepdims=True))
