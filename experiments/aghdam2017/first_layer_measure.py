"""Measures a network's first convolution, and random kernels in its place, on permuted perturbations of images."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.lab import Cell, NetworkContext
from advlab.models.classifier import Classifier, frozen

from .first_layer import FirstLayer, FirstLayerRow

VARIES = 1e-12  # deviations of a channel, as a share of its values, above which it is not constant; they are float64


class Pooling(NamedTuple):
    """Arguments of max-pooling."""

    kernel_size: Any = 2
    stride: Any = 2
    padding: Any = 0
    dilation: Any = 1
    ceil_mode: bool = False

    def __str__(self) -> str:
        window, stride = (v if isinstance(v, int) else "x".join(map(str, v)) for v in (self.kernel_size, self.stride))
        return f"{window}/{stride}"


def prepare(experiment: FirstLayer, ctx: NetworkContext) -> dict[str, Any]:
    """The images; a network without a first convolution that sees the image is refused here."""
    first_convolution(ctx.classifier)
    return {"samples": ctx.order(experiment.params.samples)}


def measure(experiment: FirstLayer, ctx: NetworkContext, cell: Cell) -> list[FirstLayerRow]:
    """The rows of the cell's images, each drawn from (seed, sample) alone."""
    name, convolution, pooling = first_convolution(ctx.classifier)
    device = torch.device("cpu") if ctx.device.type == "mps" else ctx.device  # MPS has no float64
    own = copy.deepcopy(convolution).to(device).double()
    scale, shift = (values.to(device).double() for values in (ctx.classifier.scale, ctx.classifier.shift))
    rows = []
    for sample in cell.payload["samples"]:
        x = ctx.images_and_labels([sample])[0].to(device).double()
        rng = np.random.default_rng([ctx.settings.run.seed, sample])
        v, permuted = permuted_perturbations(rng, x, experiment.params.lengths)
        for kernels, module in (("network", own), ("random", with_random_kernels(own, rng))):
            for base, origin in (("image", x), ("black", torch.zeros_like(x))):
                with torch.no_grad():
                    a, b, o = (module(scale * (origin + moved) + shift) for moved in (v, permuted, 0.0))
                for length, measured in zip(experiment.params.lengths, compare(a, b, o, pooling), strict=True):
                    rows.append(
                        FirstLayerRow(
                            sample=sample, layer=name, kernels=kernels, base=base, length=length, pool=str(pooling), **measured
                        )
                    )  # fmt: skip
    return rows


def first_convolution(classifier: Classifier) -> tuple[str, nn.Conv2d, Pooling]:
    """Name and module of the first convolution that a forward pass uses, and the first max-pooling behind it.

    Raises:
        ModelError: there is none, or it is not given the normalised image.
    """
    modules, order = dict(classifier.network.named_modules()), classifier.layers()
    name = next((layer for layer in order if isinstance(modules[layer], nn.Conv2d)), "")
    convolution = modules.get(name)
    if not name or not isinstance(convolution, nn.Conv2d):
        raise ModelError(
            f"{classifier.name} has no convolution in front of its classification layer: choose another model"
        )
    seen: list[Tensor] = []
    handle = convolution.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    x = torch.rand((2, *classifier.shape), generator=torch.Generator().manual_seed(0)).to(classifier.device)
    try:
        with frozen(classifier), torch.no_grad():
            classifier(x)
            given = classifier.scale * x + classifier.shift
    finally:
        handle.remove()
    if classifier.is_defended or seen[0].shape != given.shape or not torch.allclose(seen[0].float(), given, atol=1e-4):
        raise ModelError(
            f"the first convolution {name!r} of {classifier.name} is not given the normalised image, so that it cannot be "
            "looked at alone: choose another model, or defense=none"
        )
    behind = (modules[layer] for layer in order[order.index(name) :])
    pool = next((module for module in behind if isinstance(module, nn.MaxPool2d)), None)
    if pool is None:
        return name, convolution, Pooling()
    return name, convolution, Pooling(pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)


def permuted_perturbations(rng: np.random.Generator, x: Tensor, lengths: list[float]) -> tuple[Tensor, Tensor]:
    """(L, C, H, W) perturbations v of each length in one random direction, and the same with all elements permuted alike."""
    noise = rng.uniform(-1, 1, x.numel())
    noise /= np.linalg.norm(noise)
    directions = np.stack([noise, noise[rng.permutation(x.numel())]])
    v = torch.from_numpy(directions).to(x).view(2, 1, *x.shape[1:]) * x.new_tensor(lengths).view(-1, 1, 1, 1)
    return v[0], v[1]


def with_random_kernels(convolution: nn.Conv2d, rng: np.random.Generator) -> nn.Conv2d:
    """A copy whose kernels are normal random numbers, each kernel as long as that which it replaces."""
    random = copy.deepcopy(convolution)
    weight = random.weight.detach()
    drawn = torch.from_numpy(rng.standard_normal(tuple(weight.shape))).to(weight)
    norms = [values.flatten(1).norm(dim=1).view(-1, 1, 1, 1) for values in (weight, drawn)]
    with torch.no_grad():
        random.weight.copy_(drawn * (norms[0] / norms[1]))
    return random


def compare(a: Tensor, b: Tensor, o: Tensor, pooling: Pooling) -> list[dict[str, float]]:
    """The measured columns for each of (L, C, H, W) pairs of outputs, with the (1, C, H, W) output for the base."""
    columns = {"distance": norms(a - b), "changes": share(a - o, b - o)}
    columns["sorted_changes"] = share(*((values - o).flatten(1).sort(1).values for values in (a, b)))
    for prefix, pair in (("", (a, b)), ("pooled_", tuple(F.max_pool2d(values, *pooling) for values in (a, b)))):
        columns[f"{prefix}rms"] = (pair[0] - pair[1]).flatten(1).square().mean(1).sqrt()
        columns[f"{prefix}relative"] = share(*pair)
        columns[f"{prefix}decorrelation"] = decorrelation(*pair)
    lists = {name: values.tolist() for name, values in columns.items()}
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def norms(values: Tensor) -> Tensor:
    """(L,) Euclidean norms."""
    return torch.linalg.vector_norm(values.flatten(1), dim=1)


def share(a: Tensor, b: Tensor) -> Tensor:
    """(L,) ||a - b|| / (||a|| + ||b||)."""
    return norms(a - b) / (norms(a) + norms(b))


def decorrelation(a: Tensor, b: Tensor) -> Tensor:
    """(L,) mean over channels of 1 - Pearson's correlation; channels that do not vary but for rounding are left out."""
    # 1 - cos(a, b) = ||a' - b'||^2 / 2 of unit vectors: accurate where they are almost the same
    units = []
    for values in (a.flatten(2), b.flatten(2)):
        deviations = values - values.mean(2, keepdim=True)
        length, whole = (torch.linalg.vector_norm(of, dim=2, keepdim=True) for of in (deviations, values))
        units.append(deviations / torch.where(length > VARIES * whole, length, torch.nan))
    return (units[0] - units[1]).square().sum(2).div(2).nanmean(1)
