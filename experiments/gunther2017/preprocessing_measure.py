"""Shows clean and adversarial images to the network behind each defense, and measures minimal norms of clean ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import DeepFool
from advlab.attacks.norms import norms_of_each
from advlab.lab import Arrays, Cell, Cost, NetworkContext, Stage

from .adversarial_stages import CLEAN, adversarial_stages
from .adversarial_stages_measure import adversarial_images, predictions
from .integral_images import followed_by_integers
from .preprocessing import DEEPFOOL_COST, NORMS, Preprocessing, PreprocessingRow


def stages(experiment: Preprocessing, ctx: NetworkContext) -> list[Stage]:
    """The minimal norms of clean images, and the adversarial images of each attack."""
    samples, params = ctx.order(experiment.params.samples), experiment.params
    key = ctx.key(version=1, samples=samples, controls=params.controls)
    cost = Cost(*(each * (params.controls + len(samples) // 20) for each in DEEPFOOL_COST))
    norms = Stage(NORMS, key, partial(minimal_norms, experiment, ctx), cost, kind="gunther2017-norms")
    return [norms, *adversarial_stages(ctx, experiment.kinds(ctx), samples)]


def minimal_norms(experiment: Preprocessing, ctx: NetworkContext) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage: `plain` (N,), the network's classes, and `l2` (N,), NaN where not known.

    Of natural errors l2 is the norm of the smallest perturbation that makes them right, of the first `controls` right images
    that of the smallest that makes them wrong; both by refined DeepFool, so that they are upper bounds.
    """
    x, labels = ctx.images_and_labels(ctx.order(experiment.params.samples))
    plain = torch.tensor(predictions(ctx.forward, x), device=x.device)
    l2 = torch.full((len(x),), torch.nan, dtype=torch.float64, device=x.device)
    wrong = (plain != labels).nonzero()[:, 0]
    right = (plain == labels).nonzero()[:, 0][: experiment.params.controls]
    for index, targets in ((wrong, labels[wrong]), (right, None)):
        if len(index):
            result = ctx.attack(DeepFool(refine=True), x[index], plain[index], targets=targets)
            norms = norms_of_each(result.adv - x[index], "l2").double()
            l2[index] = torch.where(result.success, norms, torch.nan)
    return {"plain": plain.cpu().numpy(), "l2": l2.cpu().numpy()}, {"natural_errors": len(wrong)}


def measure(experiment: Preprocessing, ctx: NetworkContext, cell: Cell) -> list[PreprocessingRow]:
    """A row for each clean image, or for each that an attack fooled the undefended network with."""
    samples, payload = ctx.order(experiment.params.samples), cell.payload
    x, labels = ctx.images_and_labels(samples)
    arrays = ctx.stage(payload["stage"]).arrays
    if payload["images"] == CLEAN:
        shown, chosen, plain, l2 = x, np.arange(len(x)), arrays["plain"], arrays["l2"]
    else:
        adv = adversarial_images(ctx, payload["stage"])
        shown, chosen, plain, l2 = adv, arrays["success"].nonzero()[0], arrays["prediction"], l2_norms(adv, x)
    defense = followed_by_integers(ctx.listed("defenses")[payload["defense"]], experiment.params.integers)
    found = predictions(ctx.defended(defense), shown[torch.as_tensor(chosen, device=x.device)])
    classes = labels.tolist()
    return [
        PreprocessingRow(
            images=payload["images"], arithmetic=payload["arithmetic"], defense=payload["defense"], sample=samples[i],
            label=classes[i], plain=int(plain[i]), prediction=prediction, l2=float(l2[i]),
        )
        for i, prediction in zip(chosen.tolist(), found, strict=True)
    ]  # fmt: skip


def l2_norms(adv: Tensor, x: Tensor) -> np.ndarray:
    """(N,) float64 norms of the perturbations of (N, C, H, W) images."""
    norms: np.ndarray = norms_of_each(adv - x, "l2").double().cpu().numpy()
    return norms
