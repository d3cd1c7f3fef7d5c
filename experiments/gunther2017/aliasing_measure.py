"""Trains a network with or without blur, attacks it, and takes spectra where it samples down."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from advlab.attacks import FGV, Attack, DeepFool
from advlab.attacks.norms import norms_of_each
from advlab.attacks.results import AttackResult
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, DataContext
from advlab.lab.trained_network import build_network
from advlab.metrics.pass_score import pass_score
from advlab.metrics.spectrum import share_above_nyquist
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Execution, Forward
from advlab.models.networks.antialiasing import BlurredInput, downsampling_layers, stride_of

from .aliasing import Aliasing, AliasingRow
from .aliasing_claims import ARITHMETICS, BLURRED, IMAGE

IMAGES_AT_ONCE = 500
MAPS_AT_ONCE = 100  # images whose spectra are taken at once, in float64
SHARES = ("clean_high", "adversarial_high", "change_high")


def prepare(experiment: Aliasing, ctx: DataContext) -> dict[str, Any]:
    """The test images, in a seeded order, and the layers before which is blurred, in the order of the network's modules.

    Raises:
        ConfigError: there is no such layer, or none that samples down.
    """
    run = ctx.settings.run
    network = build_network(ctx.settings.nodes["model"]["name"], ctx.settings.model, ctx.data.shape, run.seed)
    try:
        layers = downsampling_layers(network, experiment.params.layers)
    except ArgumentError as error:
        raise ConfigError(f"experiment.layers: {error}") from error
    return {"samples": ctx.order(experiment.params.images), "layers": layers}


def trained_network(experiment: Aliasing, ctx: DataContext, seed: int, network: str) -> Classifier:
    """The run's network of a seed, with the blur or without, trained by the recipe or read from the artifacts."""
    params, recipe, model = experiment.params, ctx.settings.recipe, ctx.settings.model
    if recipe.max_steps:
        recipe = replace(recipe, max_steps=max(1, round(params.scale * recipe.max_steps)))
    if network == BLURRED:
        model = replace(model, blur=params.blur, blur_layers=params.layers)
    return ctx.train(recipe, seed=seed, model=model)


def measure(experiment: Aliasing, ctx: DataContext, cell: Cell) -> list[AliasingRow]:
    """The rows of one network: FGV in both arithmetics, PASS, smallest perturbations and spectra."""
    seed, network, samples = cell.payload["seed"], cell.payload["network"], ctx.prepared["samples"]
    run, classifier = ctx.settings.run, trained_network(experiment, ctx, seed, network)
    x, labels = ctx.images_and_labels(samples)
    common: dict[str, Any] = {"seed": seed, "network": network, "weights": classifier.digest()[:12]}
    unmeasured: dict[str, Any] = dict.fromkeys(SHARES, math.nan)
    rows: list[AliasingRow] = []
    with frozen(classifier):
        forward = Forward(classifier, Execution(run.batch_size or IMAGES_AT_ONCE, "contiguous", run.precision))
        for arithmetic in ARITHMETICS:
            result = attacked(ctx, forward, FGV(discrete=True, arithmetic=arithmetic), x, labels)
            columns = image_columns(experiment, ctx, x, result)
            shares: dict[str, dict[str, list[float]]] = {}
            if arithmetic == "exact":
                columns["minimal"] = smallest_perturbations(experiment, ctx, forward, x, labels)
                shares = spectra(experiment, ctx, classifier, x, result)
            for i, sample in enumerate(samples):
                own: dict[str, Any] = {"sample": sample, "label": int(labels[i]), "arithmetic": arithmetic}
                own |= {name: values[i] for name, values in columns.items()}
                measured = {layer: values for layer, values in shares.items() if i < len(values[SHARES[0]])}
                for layer, values in measured.items():
                    own_shares: dict[str, Any] = {name: values[name][i] for name in SHARES}
                    rows.append(AliasingRow(layer=layer, **common, **own, **own_shares))
                if not measured:
                    rows.append(AliasingRow(layer="", **common, **own, **unmeasured))
    ctx.count(forwards=forward.images)
    return rows


def attacked(ctx: DataContext, forward: Forward, attack: Attack, x: Tensor, labels: Tensor) -> AttackResult:
    """One attack on one network, counted."""
    result, seconds = forward.in_batches(lambda batch: attack(forward.attack_target, x, labels, batch_size=batch))
    ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(x), seconds=seconds)
    return result


def smallest_perturbations(
    experiment: Aliasing, ctx: DataContext, forward: Forward, x: Tensor, labels: Tensor
) -> list[float]:
    """(N,) L2 norms by refined DeepFool of the first images that are correct: infinite where it fails; others are NaN."""
    count = experiment.first_samples(ctx, experiment.params.minimal_images)
    result = attacked(ctx, forward, DeepFool(refine=True), x[:count], labels[:count])
    norms = norms_of_each(result.adv - x[:count], "l2").double()
    norms = norms.masked_fill(~result.success, math.inf).masked_fill(~result.eligible, math.nan)
    return [*norms.tolist(), *[math.nan] * (len(x) - count)]


def image_columns(experiment: Aliasing, ctx: DataContext, x: Tensor, result: AttackResult) -> dict[str, list[Any]]:
    """Columns of each image: whether it is correct, the label of its adversarial image, its length and PASS."""
    scores = torch.full((len(x),), math.nan, dtype=torch.float64)
    found = result.success.nonzero()[:, 0]
    measured = found[found < experiment.first_samples(ctx, experiment.params.pass_images)]
    for index in measured.split(IMAGES_AT_ONCE):
        scores[index.cpu()] = pass_score(x[index], result.adv[index]).double().cpu()
    lengths = norms_of_each(result.adv - x, "l2").double().masked_fill(~result.success, math.nan)
    return {
        "correct": result.eligible.tolist(),
        "saturated": result.saturated.tolist(),
        "adversarial": result.prediction.masked_fill(~result.success, -1).tolist(),
        "length": lengths.tolist(),
        "pass_score": scores.tolist(),
        "minimal": [math.nan] * len(x),
    }


def spectra(
    experiment: Aliasing, ctx: DataContext, classifier: Classifier, x: Tensor, result: AttackResult
) -> dict[str, dict[str, list[float]]]:
    """Layer -> share -> (n,) of the first images, of their adversarial images and of the change; NaN where there is none.

    The image itself is measured against the Nyquist frequency of the first layer that samples down.
    """
    count = experiment.first_samples(ctx, experiment.params.spectrum_images)
    shares: dict[str, dict[str, list[float]]] = {}
    for index in torch.arange(count, device=x.device).split(MAPS_AT_ONCE):
        clean = downsampled_inputs(classifier, x[index], ctx.prepared["layers"])
        moved = downsampled_inputs(classifier, result.adv[index], ctx.prepared["layers"])
        ctx.count(forwards=2 * len(index))
        for layer, (maps, stride) in clean.items():
            adversarial = moved[layer][0]
            parts = share_above_nyquist(torch.cat([maps, adversarial, adversarial.double() - maps.double()]), stride)
            for name, values in zip(SHARES, parts.split(len(index)), strict=True):
                if name != SHARES[0]:
                    values = values.masked_fill(~result.success[index], math.nan)
                shares.setdefault(layer, {}).setdefault(name, []).extend(values.tolist())
    return shares


def downsampled_inputs(
    classifier: Classifier, x: Tensor, layers: list[str]
) -> dict[str, tuple[Tensor, tuple[int, int]]]:
    """Name -> (n, C, H, W) maps that a layer samples down (behind its blur, if it has one), and its stride; the image first."""
    modules = {}
    for name in layers:
        module = classifier.network.get_submodule(name)
        modules[name] = module.layer if isinstance(module, BlurredInput) else module
    with torch.inference_mode(), recorded_inputs(modules) as inputs:
        classifier(x)
    strides = {name: stride_of(module) for name, module in modules.items()}
    return {IMAGE: (x, strides[layers[0]])} | {name: (inputs[name], strides[name]) for name in layers}


@contextlib.contextmanager
def recorded_inputs(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Keeps what goes into modules, by their names, while the block runs."""
    inputs: dict[str, Tensor] = {}

    def record(name: str) -> Any:
        return lambda _, arguments: inputs.update({name: arguments[0].detach()})

    handles = [module.register_forward_pre_hook(record(name)) for name, module in modules.items()]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
