"""The networks of figure 5 of barati2021: one trained on the whole set, the others on the same share of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advlab.data.images import ImageData
    from advlab.lab.context import Context
    from advlab.models.classifier import Classifier

NETWORKS = {
    "reference": "the whole training set, clean",
    "third": "the robust network's share of it, clean",
    "noise": "the share, and as many points moved at random, each as far as a hard point of its image",
    "hard": "the robust network: the share, and hard points (eq 9)",
    "adversarial": "the share, and adversarial points (eq 10)",
    "pgd": "the share, and points that ascend the label's loss: PGD training with the same steps",
}
#: network -> what its recipe adds to each batch
ADVERSARY = {"noise": "hard_noise", "hard": "hard", "adversarial": "adversarial", "pgd": "pgd"}
REACHED = 500  # images that `reach` is the mean over, at most


def trained_network(
    ctx: Context, name: str, *, seed: int, share: float, train_images: int, steps: int, step: float
) -> Classifier:
    """One of NETWORKS by the run's model and recipe, trained or from the artifacts.

    Args:
        ctx: of the run.
        name: which.
        seed: of the choice of the share, the initial weights and the order.
        share: of the training set, for all but the reference.
        train_images: of the whole set; 0: all.
        steps: of the ascent.
        step: L2 norm of one.

    Raises:
        ModelError: the training images are streamed from files, or training diverged.
    """
    from advlab.lab.loading import load_classifier

    settings, recipe = ctx.settings, ctx.settings.recipe
    if name in ADVERSARY:
        recipe = replace(recipe, augment=[*recipe.augment, f"{ADVERSARY[name]}:{steps},{step:g}"])
    assert ctx.data is not None
    loaded = load_classifier(
        settings.nodes["model"]["name"], settings.model, recipe, shape=ctx.data.shape,
        train_data=lambda: training_set(ctx, seed, 1.0 if name == "reference" else share, train_images),
        artifacts=ctx.artifacts, device=ctx.device, seed=seed, download=False,
    )  # fmt: skip
    return loaded.classifier


def training_set(ctx: Context, seed: int, share: float, train_images: int) -> ImageData:
    """The first images of a seeded order of the training split: `share` of `train_images` of them (0: all), on the CPU.

    The share is part of the whole, and the same for every network of a seed.

    Raises:
        ModelError: the images are streamed from files.
    """
    import torch
    from torch import Tensor

    from advlab.data.images import tensor_digest
    from advlab.errors import ModelError

    assert ctx.load_split is not None
    data = ctx.load_split("train")
    if not isinstance(data.pixels, Tensor):
        raise ModelError(f"{data.name} is too large to train on here (it is streamed): choose another dataset")
    count = max(1, round(share * min(train_images or len(data), len(data))))
    if count == len(data):
        return data
    kept = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:count]
    pixels, labels = data.pixels[kept], data.labels[kept]
    return replace(data, pixels=pixels, labels=labels, digest=tensor_digest(pixels, labels))


def reach(ctx: Context, name: str, classifier: Classifier, *, steps: int, step: float) -> float:
    """Mean L2 distance from test images of the points that `name` would be trained on next; NaN: it adds none.

    Steps turn and are clipped, so that points end nearer than all steps together.

    Args:
        ctx: of the run.
        name: one of NETWORKS.
        classifier: that network, trained.
        steps: of the ascent.
        step: L2 norm of one.
    """
    import math

    import torch

    from advlab.training.adversary import Adversary, distances

    if name not in ADVERSARY:
        return math.nan
    assert ctx.data is not None
    index = torch.tensor(ctx.prepared["samples"][:REACHED])
    x, labels = ctx.data.images(index), ctx.data.labels[index.to(ctx.data.device)]
    moves = Adversary(classifier, ADVERSARY[name], (float(steps), step))
    generator = torch.Generator(device=x.device).manual_seed(ctx.settings.run.seed)
    passes = steps * len(x)
    ctx.count(forwards=passes, backwards=passes)
    return float(distances(x, moves(x, labels, generator)).mean())
