"""From a configuration to a classifier: published weights, a checkpoint, or training by a recipe, done once and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advlab.data.images import ImageData, Shape
from advlab.errors import ModelError
from advlab.models.base import Model
from advlab.models.checkpoints import load_state, published_state, read_state
from advlab.models.classifier import Classifier
from advlab.models.torchvision_networks import Torchvision
from advlab.progress import Progress
from advlab.store.artifacts import Arrays, ArtifactStore

log = logging.getLogger(__name__)

TRAINING_VERSION = 1  # raise by hand when the training loop gives other weights


@dataclass(frozen=True)
class Loaded:
    """A classifier and where its weights come from, for the manifest."""

    classifier: Classifier
    origin: str


def load_classifier(
    name: str,
    model: Model,
    recipe: Any,
    *,
    shape: Shape,
    train_data: Callable[[], ImageData],
    artifacts: ArtifactStore,
    device: torch.device,
    seed: int,
    download: bool,
) -> Loaded:
    """Build the network and give it its weights.

    Args:
        name: as on the command line.
        model: its parameters.
        recipe: how it is trained when neither a checkpoint nor published weights give its weights.
        shape: (C, H, W) of the images.
        train_data: loads the training split; called only to train.
        artifacts: keeps trained weights.
        device: where the classifier arrives.
        seed: of initialisation and training.
        download: whether published weights may be fetched.

    Raises:
        ModelError: weights are missing, damaged or do not fit; there is neither a checkpoint nor a recipe; or training
            diverged.
    """
    mean, std = constants(model, "mean", shape), constants(model, "std", shape)
    if model.trainable and not model.checkpoint:
        if getattr(recipe, "name", "none") == "none":
            raise ModelError(
                f"{name} has no weights and no recipe to train it: give a file by model.checkpoint=..., or choose a recipe "
                "by recipe=NAME (`advlab --help` lists them)"
            )
        if mean is not None or std is not None:
            raise ModelError(
                f"model.mean and model.std go with weights that are loaded; the recipe {recipe.name} computes its own from "
                "the training images: leave them out, or choose another recipe.normalise"
            )
        return trained(name, model, recipe, train_data(), artifacts, device, seed)
    network = build(name, model)
    origin, state = "as built by the plug-in", {}
    if model.checkpoint:
        path = Path(model.checkpoint).expanduser()
        state = read_state(path, model.sha256)
        origin = str(path)
        if "input.mean" in state and "input.std" in state:  # our own: the normalisation travels with the weights
            mean, std = (
                given if given is not None else state[f"input.{key}"] for given, key in ((mean, "mean"), (std, "std"))
            )
            state = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    elif isinstance(model, Torchvision):
        state, origin = published_state(model, download)
    if isinstance(model, Torchvision) and model.weights != "none":
        state = model.fitted(state)
        published = model.entry().transforms()
        mean = torch.tensor(published.mean).view(-1, 1, 1) if mean is None else mean
        std = torch.tensor(published.std).view(-1, 1, 1) if std is None else std
    if state:
        load_state(network, state, origin)
    classifier = Classifier(network, name=name, shape=shape, classes=model.class_count, mean=mean, std=std)
    return Loaded(classifier.to(device).eval(), origin)


def build(name: str, model: Model) -> nn.Module:
    """The network without trained weights.

    Raises:
        ModelError: its parameters do not make a network.
    """
    try:
        return model.network()
    except ValueError as error:
        raise ModelError(f"{name} cannot be built: {error}. `advlab describe {name}` lists its parameters") from error


def constants(model: Model, which: str, shape: Shape) -> Tensor | None:
    """`model.mean` or `model.std` as (C, 1, 1), None when not given.

    Raises:
        ModelError: there are neither one nor C of them.
    """
    values = getattr(model, which)
    if len(values) not in (0, 1, shape[0]):
        raise ModelError(f"model.{which} must be one number or one for each of the {shape[0]} channels, got {values}")
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1).expand(shape[0], 1, 1) if values else None


def trained(
    name: str, model: Model, recipe: Any, data: ImageData, artifacts: ArtifactStore, device: torch.device, seed: int
) -> Loaded:
    """The classifier trained by `recipe` on `data`, from the artifacts when it was trained before."""
    from advlab.training.loop import train
    from advlab.training.normalisation import normalisation

    if not isinstance(data.pixels, Tensor):
        raise ModelError(f"{data.name} is too large to train on here (it is streamed): give a model.checkpoint")
    pixels = data.pixels
    options = asdict(recipe)
    for key in ("name", "expected"):  # neither changes the weights
        options.pop(key)
    plain = getattr(model, "archived", lambda: asdict(model))()
    fields = {
        "version": TRAINING_VERSION, "model": name, "parameters": plain, "recipe": options, "data": data.digest, "seed": seed,
    }  # fmt: skip

    def make() -> tuple[Arrays, dict[str, Any]]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(name, model)
        mean, std = normalisation(recipe, pixels)
        steps = recipe.total_steps(len(data))
        log.info(
            "training %s on %s by the recipe %s: %d images, %d steps", name, data.name, recipe.name, len(data), steps
        )
        started = time.perf_counter()
        try:
            with Progress(f"train {name}", steps) as progress:
                train(
                    network, pixels, data.labels, recipe, mean=mean, std=std, device=device, seed=seed,
                    on_step=lambda done, _, loss: progress.update(done, f"loss {loss:.3f}"),
                )  # fmt: skip
        except FloatingPointError as error:
            raise ModelError(f"training {name} failed: {error}") from error
        seconds = time.perf_counter() - started
        log.info("trained in %.0f s", seconds)
        arrays: Arrays = {f"network.{key}": value.detach().cpu().numpy() for key, value in network.state_dict().items()}
        if not all(
            np.isfinite(array).all() for array in arrays.values()
        ):  # the last step's loss came before its update
            raise ModelError(
                f"training {name} failed: the recipe {recipe.name} ended in NaN or infinity: lower recipe.lr"
            )
        arrays |= {"input.mean": mean.cpu().numpy(), "input.std": std.cpu().numpy()}
        return arrays, {"seconds": seconds, "recipe": recipe.name}

    network = build(name, model)
    if not artifacts.writes and artifacts.find("weights", fields) is None:  # a dry run trains nothing
        mean, std = normalisation(recipe, pixels)
        classifier = Classifier(network, name=name, shape=data.shape, classes=model.class_count, mean=mean, std=std)
        return Loaded(classifier.to(device).eval(), f"not trained yet (recipe {recipe.name})")
    found = artifacts.get("weights", fields, make)
    state = {
        key.removeprefix("network."): torch.from_numpy(np.array(array))
        for key, array in found.arrays.items()
        if key.startswith("network.")
    }
    load_state(network, state, "the trained weights")
    mean, std = (torch.from_numpy(np.array(found.arrays[f"input.{key}"])) for key in ("mean", "std"))
    classifier = Classifier(network, name=name, shape=data.shape, classes=model.class_count, mean=mean, std=std)
    origin = f"trained by the recipe {recipe.name} in {found.facts['seconds']:.0f} s"
    return Loaded(classifier.to(device).eval(), origin)
