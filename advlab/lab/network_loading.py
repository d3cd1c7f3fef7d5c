"""From a configuration to a classifier, whose weights are a checkpoint's, published ones, or trained by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from advlab.config.components import NoComponent
from advlab.config.settings import Settings
from advlab.data.content import Shape
from advlab.data.images import ImageData
from advlab.errors import ModelError
from advlab.lab.trained_network import build_network, trained_classifier
from advlab.models.base import Model
from advlab.models.checkpoint_content import State, choose_state
from advlab.models.checkpoints import load_state, published_state, read_state
from advlab.models.classifier import Classifier
from advlab.models.library_model import LibraryModel
from advlab.models.library_weights import converted, library_state
from advlab.models.torchvision_networks import Torchvision
from advlab.store.artifacts import ArtifactStore
from advlab.training.recipe import Recipe


@dataclass(frozen=True)
class LoadedNetwork:
    """A classifier, and what the manifest says of it.

    Attributes:
        classifier: on its device.
        origin: where its weights come from, in words.
        faults: name -> fault in words (`advlab.models.loading_check`), with which it is measured nonetheless.
    """

    classifier: Classifier
    origin: str
    faults: dict[str, str] = field(default_factory=dict)


def load_classifier(
    name: str,
    model: Model,
    recipe: Recipe | NoComponent,
    *,
    shape: Shape,
    train_data: Callable[[], ImageData],
    artifacts: ArtifactStore,
    device: torch.device,
    seed: int,
    download: bool,
    checkpoint_seconds: float = 0.0,
) -> LoadedNetwork:
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
        checkpoint_seconds: between two checkpoints of a training, from which it goes on if it is ended; 0: none.

    Raises:
        ModelError: weights are missing, damaged or do not fit; there is neither a checkpoint nor a recipe; or training
            diverged.
    """
    mean, std = input_constants(model, "mean", shape), input_constants(model, "std", shape)
    if model.trainable and not model.checkpoint:
        recipe = recipe_to_train(name, recipe, has_constants=mean is not None or std is not None)
        data = train_data()
        return LoadedNetwork(
            *trained_classifier(
                name, model, recipe, data, artifacts, device, seed, checkpoint_seconds=checkpoint_seconds
            )
        )
    network = build_network(name, model, shape, seed)
    origin, content = "as built by the plug-in", {}
    if model.checkpoint:
        path = Path(model.checkpoint).expanduser()
        origin, content = str(path), read_state(path, model.sha256)
        if "input.mean" in content and "input.std" in content:  # our own: the normalisation travels with the weights
            mean = content["input.mean"] if mean is None else mean
            std = content["input.std"] if std is None else std
            content = {key.removeprefix("network."): v for key, v in content.items() if key.startswith("network.")}
    elif isinstance(model, Torchvision):
        content, origin = published_state(model, download)
    elif isinstance(model, LibraryModel):
        content, origin = library_state(model, download)
    prepare: Callable[[State], State] = dict
    if isinstance(model, Torchvision) and model.weights != "none":
        prepare = model.fitted
        published = model.entry().transforms()
        mean = torch.tensor(published.mean).view(-1, 1, 1) if mean is None else mean
        std = torch.tensor(published.std).view(-1, 1, 1) if std is None else std
    elif isinstance(model, LibraryModel) and model.weights != "none":
        own_mean, own_std = model.constants()
        mean = constants_of("mean", own_mean, shape) if mean is None else mean
        std = constants_of("std", own_std, shape) if std is None else std
    if content:
        try:
            state = choose_state(content, network.state_dict(), origin, model.checkpoint_key, prepare)
        except ModelError as error:
            if not isinstance(model, LibraryModel):
                raise
            state = converted_state(model, content, error)
        load_state(network, state, origin)

    def wrapped(network: nn.Module) -> Classifier:
        return Classifier(network, name=name, shape=shape, classes=model.class_count, mean=mean, std=std)

    classifier, faults = wrapped(network), {}
    # what weights are not given for comes from the factory alone, which must give the same in every process
    if not content and wrapped(build_network(name, model, shape, seed)).digest() != classifier.digest():
        faults["unseeded"] = (
            f"its factory gives other weights when it is called again under run.seed={seed}: let it draw from torch's global "
            "random numbers, or seed its own generator"
        )
    return LoadedNetwork(classifier.to(device).eval(), origin, faults)


def converted_state(model: LibraryModel, content: State, misfit: ModelError) -> State:
    """The network's tensors by the library's own conversion of a published file, where they did not fit as they are.

    Raises:
        ModelError: they do not fit converted either: what did not fit before, in words.
    """
    if model.checkpoint_key or model.weights == "none":
        raise misfit
    try:
        return converted(model, content)
    except ModelError:
        raise misfit from None


def trained_variant(
    settings: Settings,
    recipe: Recipe | NoComponent,
    data: ImageData,
    *,
    artifacts: ArtifactStore,
    device: torch.device,
    initial: Classifier | None,
    seed: int,
    model: Model | None = None,
) -> Classifier:
    """The network of `settings`, or the same with other parameters, trained by a recipe, from `initial` if there is one.

    Raises:
        ModelError: `initial` has other weights, or training diverged.
        DataError: an image file is corrupt (named).
    """
    name, model = settings.nodes["model"]["name"], model or settings.model
    recipe = recipe_to_train(name, recipe, has_constants=initial is None and bool(model.mean or model.std))
    seconds = settings.run.checkpoint_seconds
    return trained_classifier(name, model, recipe, data, artifacts, device, seed, initial, seconds)[0]


def recipe_to_train(name: str, recipe: Recipe | NoComponent, *, has_constants: bool) -> Recipe:
    """The recipe, unless there is none, or there are constants of the user's beside those that it computes.

    Raises:
        ModelError: says what to type.
    """
    if not isinstance(recipe, Recipe) or not recipe.trains:
        raise ModelError(
            f"{name} has no weights and no recipe to train it: give a file by model.checkpoint=..., or choose a recipe "
            "by recipe=NAME (`advlab list recipes` shows them)"
        )
    if has_constants:
        raise ModelError(
            f"model.mean and model.std go with weights that are loaded; the recipe {recipe.name} computes its own from "
            "the training images: leave them out, or choose another recipe.normalise"
        )
    return recipe


def input_constants(model: Model, which: str, shape: Shape) -> Tensor | None:
    """`model.mean` or `model.std`, by which images in [0, 1] are normalised, as (C, 1, 1); None when not given.

    Raises:
        ModelError: there are neither one nor C of them.
    """
    return constants_of(which, getattr(model, which), shape)


def constants_of(which: str, values: Sequence[float], shape: Shape) -> Tensor | None:
    """`values` as (C, 1, 1); None when there are none.

    Raises:
        ModelError: there are neither one nor C of them.
    """
    if len(values) not in (0, 1, shape[0]):
        raise ModelError(f"model.{which} must be one number or one for each of the {shape[0]} channels, got {values}")
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1).expand(shape[0], 1, 1) if values else None
