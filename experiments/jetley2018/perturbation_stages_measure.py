"""Makes the perturbations of figure 3, bottom row, as stages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import UAP, DeepFool
from advlab.lab import Arrays, Cost, NetworkContext, Stage
from advlab.metrics.loss_gradient import cross_entropy_direction
from advlab.models.input_gradient import input_gradient
from advlab.probes.selection import order

from .curvature_stages import measured_samples, source_images
from .subspace_norms import Perturbation, SubspaceNorms
from .subspaces_measure import derived_seed

DEEPFOOL = DeepFool(clip="none")  # figure 3 says no more; images may leave the bounds, as in the paper of DeepFool
Made = tuple[Arrays, dict[str, Any]]


def perturbation_stage(ctx: NetworkContext, params: SubspaceNorms.Params, kind: Perturbation) -> Stage:
    """The stage of that id: `delta` (n, D) float32 and `groups` (n,), true classes or numbers of universal perturbations."""
    samples, seed = measured_samples(ctx, params.samples), ctx.settings.run.seed
    classes, count = len(ctx.data.classes), len(samples)
    if kind == "uap":
        images, _ = source_images(ctx)
        sets, attack = universal_sets(ctx, params), UAP()
        forwards, backwards = (sum(map(len, sets)) * each for each in attack.estimated_cost(classes))
        key = ctx.key(images=images, version=1, attack=attack, sets=sets)
        return Stage(kind, key, partial(universal, ctx, sets), Cost(forwards, backwards), kind="perturbations-uap")
    if kind == "deepfool":
        forwards, backwards = (count * each for each in DEEPFOOL.estimated_cost(classes))
        key = ctx.key(version=1, attack=DEEPFOOL, samples=samples)
        return Stage(
            kind, key, partial(deepfool, ctx, samples), Cost(forwards, backwards), kind=f"perturbations-{kind}"
        )
    key = ctx.key(version=1, samples=samples, seed=seed if kind == "random" else None)
    if kind == "random":
        return Stage(kind, key, partial(normal, ctx, samples), kind=f"perturbations-{kind}")
    make = partial(gradients, ctx, samples, {"fgsm": loss_cotangent, "saliency": logit_cotangent}[kind])
    signs = kind == "fgsm"
    return Stage(kind, key, partial(make, signs), Cost(count, count), kind=f"perturbations-{kind}")


def universal_sets(ctx: NetworkContext, params: SubspaceNorms.Params) -> list[list[int]]:
    """Indices of the training images of each universal perturbation; sets that do not fit any more are left out."""
    images, samples = source_images(ctx)
    known = set(samples)
    seeded = [int(i) for i in order(images, ctx.settings.run.seed) if int(i) in known]
    size = min(params.universal_images, len(seeded))
    sets = [seeded[k * size : (k + 1) * size] for k in range(params.universal)]
    return [chosen for chosen in sets if len(chosen) == size]


def universal(ctx: NetworkContext, sets: list[list[int]]) -> Made:
    """A universal perturbation of each set of training images."""
    images, _ = source_images(ctx)
    found = []
    for k, chosen in enumerate(sets):
        x = images.images(torch.tensor(chosen))
        predictions = ctx.forward(x).argmax(1)
        result = ctx.attack(UAP(seed=derived_seed(ctx.settings.run.seed, k)), x, predictions.clone())
        assert result.universal is not None
        found.append(result.universal.flatten().float().cpu())
        ctx.report_progress("universal perturbations", k + 1, len(sets))
    return {"delta": torch.stack(found).numpy(), "groups": np.arange(len(sets))}, {}


def deepfool(ctx: NetworkContext, samples: list[int]) -> Made:
    """DeepFool's perturbations of the images that it fools."""
    x, labels = ctx.images_and_labels(samples)
    result = ctx.attack(DEEPFOOL, x, labels)
    delta = (result.adv - x)[result.success]
    return with_groups(delta, labels[result.success]), {"eligible": int(result.eligible.sum())}


def normal(ctx: NetworkContext, samples: list[int]) -> Made:
    """A vector of independent normal numbers for each image."""
    _, labels = ctx.images_and_labels(samples)
    generator = np.random.default_rng([ctx.settings.run.seed, 2018])
    delta = generator.standard_normal((len(samples), ctx.values_per_image), dtype=np.float32)
    return {"delta": delta, "groups": labels.cpu().numpy()}, {}


def gradients(
    ctx: NetworkContext, samples: list[int], cotangent: Callable[[Tensor, Tensor], Tensor], signs: bool
) -> Made:
    """Gradients (or their signs) of what `cotangent` gives of logits and labels, of each image."""
    x, labels = ctx.images_and_labels(samples)

    def call(batch_size: int) -> Tensor:
        parts = []
        with torch.inference_mode(False), torch.enable_grad():
            for images, classes in zip(x.split(batch_size), labels.split(batch_size), strict=True):
                leaf = images.clone().requires_grad_()
                logits = ctx.attack_target(leaf.clone())
                parts.append(input_gradient(logits, leaf, cotangent(logits.detach(), classes.clone())).detach())
        return torch.cat(parts)

    found, _ = ctx.forward.in_batches(call)
    ctx.count(forwards=len(x), backwards=len(x))
    return with_groups(found.sign() if signs else found, labels), {}


def with_groups(delta: Tensor, labels: Tensor) -> Arrays:
    """Arrays of perturbations (n, C, H, W) and the classes (n,) of their images."""
    return {"delta": delta.flatten(1).float().cpu().numpy(), "groups": labels.cpu().numpy()}


def loss_cotangent(logits: Tensor, labels: Tensor) -> Tensor:
    """Of FGSM: the cross-entropy's direction at the logits (n, K)."""
    return cross_entropy_direction(logits, labels)


def logit_cotangent(logits: Tensor, labels: Tensor) -> Tensor:
    """Of saliency: the label's logit."""
    return torch.zeros_like(logits).scatter_(1, labels[:, None], 1.0)
