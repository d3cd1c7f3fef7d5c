"""Measures section 2.3's separability: pixels, features and controls of some images, and two classifiers of each."""

from __future__ import annotations

import copy
import logging
import math
from typing import Any

import torch
from torch import Tensor, nn

from advlab.errors import DataError
from advlab.lab import Cell, NetworkContext
from advlab.models.classifier import Classifier
from advlab.models.seeded import seeded
from advlab.probes.selection import order

from .point_classifiers import linear_probe, nearest_neighbour
from .separability import Separability, SeparabilityRow

log = logging.getLogger(__name__)

MAP_ROWS = 4096  # of the random linear map that are drawn at once


def prepare(experiment: Separability, ctx: NetworkContext) -> dict[str, Any]:
    """The layers by their names, and the source of the training images."""
    layers = experiment.params.layers
    if "all" in layers:
        layers = ctx.classifier.layers()
    return {"layers": layers, "source": source_of_training(experiment.params, ctx)}


def source_of_training(params: Separability.Params, ctx: NetworkContext) -> str:
    """`train` where the dataset has such a split beside the measured one, unless `half` is typed."""
    if params.source != "auto":
        return params.source
    try:
        other = ctx.load_split("train")
    except DataError as error:
        log.info("%s: half of the split %s is trained on (%s)", ctx.data.name, ctx.data.split, error)
        return "half"
    return "half" if other.digest == ctx.data.digest else "train"


def measure(experiment: Separability, ctx: NetworkContext, cell: Cell) -> list[SeparabilityRow]:
    """Both classifiers in the features of one layer, in the pixels and in the controls."""
    params, layer = experiment.params, cell.payload["layer"]
    (train, labels), (test, truth) = images(params, ctx)
    common: dict[str, Any] = {
        "layer": layer, "source": ctx.prepared["source"], "train_images": len(train), "test_images": len(test),
    }  # fmt: skip
    rows: list[SeparabilityRow] = []
    in_network: dict[str, Tensor] = {}  # classifier -> (M,) whether it is right in Phi_L, which comes first
    for space, points in spaces(ctx, layer, train, test):
        of_train, of_test = (in_double(values) for values in points)
        y, target = labels.to(of_train.device), truth.to(of_train.device)
        probe = linear_probe(
            of_train, y, of_test, classes=len(ctx.data.classes), penalty=params.penalty, steps=params.steps
        )
        results = {
            "linear": (probe.predictions, float((probe.train_predictions == y).sum()), probe.gradient),
            "nearest": (nearest_neighbour(of_train, y, of_test), math.nan, math.nan),
        }
        for classifier, (predictions, train_correct, gradient) in results.items():
            right = predictions == target
            network = in_network.setdefault(classifier, right)
            rows.append(
                SeparabilityRow(
                    space=space, classifier=classifier, dimensions=of_train.shape[1], train_correct=train_correct,
                    correct=int(right.sum()), only_here=int((right & ~network).sum()),
                    only_network=int((network & ~right).sum()), gradient=gradient, **common,
                )
            )  # fmt: skip
    return rows


def images(params: Separability.Params, ctx: NetworkContext) -> list[tuple[Tensor, Tensor]]:
    """(n, C, H, W) images and (n,) labels to train on, and those to test on: the first of seeded orders."""
    measured = ctx.order()
    if ctx.prepared["source"] == "half":
        half = len(measured) // 2
        source, training, measured = ctx.data, measured[half:], measured[:half]
    else:
        source = ctx.split("train")
        training = order(source, ctx.settings.run.seed).tolist()
    chosen = ((source, training, params.train_images), (ctx.data, measured, params.test_images))
    return [data.images_and_labels(indices[: count or None]) for data, indices, count in chosen]


def spaces(ctx: NetworkContext, layer: str, train: Tensor, test: Tensor) -> Any:
    """Yields each space with the (n, D) points of the training and the test images in it; the layer's features first."""
    points = [features(ctx, x, layer) for x in (train, test)]
    yield "network", points
    pixels = [train.flatten(1), test.flatten(1)]
    yield "pixels", pixels
    random = with_random_weights(ctx.classifier, ctx.settings.run.seed)
    if random is not None:
        forward = ctx.forward_of(random)
        yield "random_network", [features(ctx, x, layer, forward) for x in (train, test)]
    yield "random_map", random_map(pixels, points[0].shape[1], ctx.settings.run.seed)


def features(ctx: NetworkContext, x: Tensor, layer: str, forward: Any = None) -> Tensor:
    """(n, R) features of a layer, float32."""
    return ctx.features(x, [layer], option="experiment.layers", forward=forward)[1][0]


def with_random_weights(classifier: Classifier, seed: int) -> Classifier | None:
    """A copy of a network whose layers draw new initial weights; None where nothing of it can be drawn.

    Weights of modules that cannot draw theirs have their entries permuted.
    """
    random = copy.deepcopy(classifier).cpu()  # all devices draw the same
    changed = False
    with seeded(seed), torch.no_grad(), torch.inference_mode(False):
        for module in random.modules():
            own = list(module.parameters(recurse=False))
            if hasattr(module, "reset_parameters") and not isinstance(module, torch.jit.ScriptModule):
                module.reset_parameters()  # type: ignore[operator]
            else:
                for weights in own:
                    weights.copy_(weights.flatten()[torch.randperm(weights.numel())].view_as(weights))
            changed = changed or bool(own)
    return _like(random, classifier) if changed else None


def _like(random: nn.Module, classifier: Classifier) -> Classifier:
    random = random.to(classifier.device)
    random.train(classifier.training)
    assert isinstance(random, Classifier)
    return random


def random_map(points: list[Tensor], dimensions: int, seed: int) -> list[Tensor]:
    """(n, R) images of (n, D) points under a map with Gaussian entries of variance 1 / D, the same for all."""
    generator = torch.Generator().manual_seed(seed)  # on the CPU: all devices draw the same
    pixels = points[0].shape[1]
    mapped = [x.new_zeros(len(x), dimensions) for x in points]
    for start in range(0, pixels, MAP_ROWS):
        rows = torch.randn(min(MAP_ROWS, pixels - start), dimensions, generator=generator) / math.sqrt(pixels)
        rows = rows.to(points[0].device)
        for x, y in zip(points, mapped, strict=True):
            y += x[:, start : start + MAP_ROWS] @ rows
    return mapped


def in_double(points: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none."""
    return (points.cpu() if points.device.type == "mps" else points).double()
