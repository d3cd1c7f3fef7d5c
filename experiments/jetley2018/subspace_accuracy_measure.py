"""Measures figure 3, top row: projects training and test images onto each subspace and classifies them."""

from __future__ import annotations

from torch import Tensor

from advlab.data.images import ImageData
from advlab.lab import Cell, NetworkContext
from advlab.probes.selection import order

from .curvature_stages import measured_samples, source_images
from .predictions_measure import predictions
from .subspace_accuracy import SubspaceAccuracy, SubspaceAccuracyRow
from .subspaces_measure import spanned_subspaces


def measure(experiment: SubspaceAccuracy, ctx: NetworkContext, cell: Cell) -> list[SubspaceAccuracyRow]:
    """The rows of all subspaces of one d, for both splits."""
    params, d = experiment.params, cell.payload["d"]
    splits = images_of_splits(experiment, ctx)
    whole = {split: predictions(ctx, *images) for split, images in splits.items()}
    right_in_pos: dict[str, Tensor] = {}  # split -> (n,) whether it is right there; S_pos comes first
    rows = []
    for spanned in spanned_subspaces(ctx, params, d):
        for split, images in splits.items():
            found, labels = predictions(ctx, *images, spanned.subspace.project)
            right = found == labels
            if spanned.kind == "pos":
                right_in_pos[split] = right
            pos = right_in_pos.get(split)
            rows.append(
                SubspaceAccuracyRow(
                    subspace=spanned.kind, d=d, draw=spanned.draw, split=split, classes=spanned.classes, without=spanned.without,
                    directions=spanned.directions, rank=len(spanned.subspace.basis), dimension=ctx.values_per_image,
                    curvature=spanned.curvature, images=len(labels), correct=int(right.sum()),
                    correct_whole=int((whole[split][0] == labels).sum()), same=int((found == whole[split][0]).sum()),
                    only_here=-1 if pos is None else int((right & ~pos).sum()),
                    only_pos=-1 if pos is None else int((pos & ~right).sum()),
                )
            )  # fmt: skip
    return rows


def images_of_splits(experiment: SubspaceAccuracy, ctx: NetworkContext) -> dict[str, tuple[ImageData, list[int]]]:
    """Split -> images and indices: training images, of which the bases are made, and those that are measured."""
    params, (source, samples) = experiment.params, source_images(ctx)
    seeded = [int(i) for i in order(source, ctx.settings.run.seed)]
    known = set(samples)
    training = [i for i in seeded if i in known][: params.train_images or None]
    return {"train": (source, training), "test": (ctx.data, measured_samples(ctx, params.test_images))}
