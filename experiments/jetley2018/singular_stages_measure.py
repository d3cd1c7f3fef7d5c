"""Makes the stage of singular directions: perturbations or gradients of training images, resampled and decomposed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.errors import MeasurementError
from advlab.geometry.singular_directions import singular_directions
from advlab.lab import Arrays, NetworkContext
from advlab.models.input_gradient import input_gradient

from .disjoint_images import images_of_bases, mean_of_bases
from .predictions_measure import predicted
from .resampled_space import ResampledSpace
from .singular_stages import SingularParams, Source, authors_deepfool

ATTACKED_TOGETHER = 512  # images whose perturbations are held at the images' own size


def make(ctx: NetworkContext, params: SingularParams, source: Source) -> tuple[Arrays, dict[str, Any]]:
    """Arrays `values` (r,), `directions` (r, D), `mean` (C, H, W), float32, and the facts of `singular_facts`.

    Raises:
        MeasurementError: no image has a perturbation.
    """
    data, samples = images_of_bases(ctx, params.perturbations)
    space = ResampledSpace(data.shape, params.resampled_to)
    rows: list[Tensor] = []
    for part in torch.tensor(samples).split(ATTACKED_TOGETHER):
        x = data.images(part)
        vectors = perturbations(ctx, params, x) if source == "deepfool" else score_gradients(ctx, x)
        found = space.coordinates(vectors)
        rows.append(found[(found != 0).any(1)])
        ctx.report_progress(source, min(len(rows) * ATTACKED_TOGETHER, len(samples)), len(samples))
    stacked = torch.cat(rows)
    rows.clear()
    if not len(stacked):
        raise MeasurementError(
            f"none of {len(samples)} images has a {'perturbation' if source == 'deepfool' else 'gradient'}: take more by "
            f"experiment.perturbations={10 * len(samples)}, or another network"
        )
    basis = singular_directions(stacked)
    mean = mean_of_bases(ctx, samples).float()
    arrays = {"values": basis.values, "directions": basis.directions, "mean": mean}
    facts = {
        "perturbations": len(stacked), "failed": len(samples) - len(stacked), "dimensions": stacked.shape[1],
    }  # fmt: skip
    return {name: tensor.cpu().numpy() for name, tensor in arrays.items()}, facts


def perturbations(ctx: NetworkContext, params: SingularParams, x: Tensor) -> Tensor:
    """(m, C, H, W) DeepFool's perturbations out of the predicted classes of n images (n, C, H, W), of its m <= n successes."""
    result = ctx.attack(authors_deepfool(params.candidates), x, predicted(ctx.forward, x))
    return (result.adv - x)[result.success]


def score_gradients(ctx: NetworkContext, x: Tensor) -> Tensor:
    """(n, C, H, W) gradients of the predicted classes' scores at n images; those that are not finite are left out."""

    def gradients(batch: int) -> Tensor:
        found = []
        for part in x.split(batch):
            with torch.inference_mode(False), torch.enable_grad():
                point = part.clone().requires_grad_()
                found.append(input_gradient(ctx.attack_target(point).amax(1).sum(), point))
        return torch.cat(found)

    found = ctx.in_batches(gradients, images=len(x))
    ctx.count(forwards=len(x), backwards=len(x))
    return found[torch.isfinite(found).flatten(1).all(1)]
