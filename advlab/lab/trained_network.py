"""A network trained by a recipe: trained once, its weights kept as an artifact and read from there afterwards."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from advlab.config.identity import archived_parameters
from advlab.config.migrations import recipe_parameters, weights_parameters
from advlab.data.content import Shape
from advlab.data.images import ImageData
from advlab.errors import ArgumentError, DataError, Interrupted, ModelError
from advlab.lab.input_normalisation import input_normalisation
from advlab.lab.recipe_for_data import made_for_other_data
from advlab.models.base import Model
from advlab.models.checkpoints import load_state
from advlab.models.classifier import Classifier
from advlab.models.forward import out_of_memory
from advlab.models.inspection import materialise, uncompiled
from advlab.models.seeded import seeded
from advlab.progress import Progress
from advlab.store.artifacts import Arrays, ArtifactStore
from advlab.store.checkpoints import CheckpointFolder
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints

log = logging.getLogger(__name__)

TRAINING_VERSION = 1  # raise by hand when the training loop gives other weights


def trained_classifier(
    name: str,
    model: Model,
    recipe: Recipe,
    data: ImageData,
    artifacts: ArtifactStore,
    device: torch.device,
    seed: int,
    initial: Classifier | None = None,
    checkpoint_seconds: float = 0.0,
) -> tuple[Classifier, str]:
    """The classifier that `recipe` trains on `data`, and how it came by its weights in words.

    With `initial` training starts from its weights and keeps its input normalisation (fine-tuning).

    Every `checkpoint_seconds` (0: never) a checkpoint is written beside the artifact; a training that was ended goes on from
    there, on the same kind of device. Of several processes one trains, as the artifact's lock says.

    A dry run, whose artifacts are not written, gives a network that was never trained before its first weights.

    Raises:
        ModelError: `initial` has other weights than the model, or training failed.
        DataError: an image file is corrupt (named).
    """
    key = training_key(name, model, recipe, data, seed, initial)
    if (
        initial is None
        and artifacts.find("weights", key) is None
        and (said := made_for_other_data(name, recipe, data.name))
    ):
        log.warning("%s", said)
    network = build_network(name, model, data.shape, seed)
    if not artifacts.writes and artifacts.find("weights", key) is None:
        mean, std = input_normalisation(recipe, data, artifacts, initial)
        origin = f"not trained yet (recipe {recipe.name})"
    else:
        folder = artifacts.unfinished("weights", key)
        checkpoints = None
        if checkpoint_seconds > 0 and artifacts.writes:
            on_device = CheckpointFolder(folder / device.type, {**key, "device": device.type})
            checkpoints = TrainingCheckpoints(on_device, checkpoint_seconds)
        weights = artifacts.get(
            "weights",
            key,
            lambda: train_network(name, model, recipe, data, artifacts, device, seed, initial, checkpoints),
        )
        if artifacts.writes:
            shutil.rmtree(folder, ignore_errors=True)
        state = {
            key.removeprefix("network."): torch.from_numpy(np.array(array))
            for key, array in weights.arrays.items()
            if key.startswith("network.")
        }
        load_state(network, state, "the trained weights")
        mean, std = (torch.from_numpy(np.array(weights.arrays[f"input.{constant}"])) for constant in ("mean", "std"))
        origin = f"trained by the recipe {recipe.name} in {weights.facts['seconds']:.0f} s"
    classifier = Classifier(network, name=name, shape=data.shape, classes=model.class_count, mean=mean, std=std)
    return classifier.to(device).eval(), origin


def training_key(
    name: str, model: Model, recipe: Recipe, data: ImageData, seed: int, initial: Classifier | None = None
) -> dict[str, Any]:
    """Everything that determines the trained weights: the key of their artifact."""
    key = {
        "version": TRAINING_VERSION, "model": name, "parameters": weights_parameters(name, archived_parameters(model)),
        "recipe": recipe_parameters(asdict(recipe)), "data": data.digest, "seed": seed,
    }  # fmt: skip
    versions = {"model": getattr(model, "version", 1), "recipe": getattr(recipe, "version", 1)}
    if raised := {name: version for name, version in versions.items() if version != 1}:
        key["versions"] = raised
    return key if initial is None else {**key, "initial": initial.digest()}


def train_network(
    name: str,
    model: Model,
    recipe: Recipe,
    data: ImageData,
    artifacts: ArtifactStore,
    device: torch.device,
    seed: int,
    initial: Classifier | None = None,
    checkpoints: TrainingCheckpoints | None = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Train a network from random weights, or from those of `initial`.

    Gives its arrays as a checkpoint holds them, with the normalisation, and facts.

    Args:
        name: of the model, for messages.
        model: its parameters.
        recipe: how it is trained.
        data: the training split.
        artifacts: keeps the constants that normalise images of files.
        device: where it is trained.
        seed: of initialisation and training.
        initial: a network of the same kind to start from; None: random weights.
        checkpoints: of this training, from the newest of which it goes on.

    Raises:
        ModelError: `initial` has other weights than the model, or training diverged.
        DataError: an image file is corrupt (named); training goes on from its last checkpoint once it is whole again.
    """
    network = build_network(name, model, data.shape, seed)
    if initial is not None:
        state = {key: value.detach().cpu().clone() for key, value in initial.network.state_dict().items()}
        load_state(network, state, f"the checkpoint of {initial.name}, from which training starts,")
    mean, std = input_normalisation(recipe, data, artifacts, initial)
    steps = recipe.total_steps(len(data))
    log.info("training %s on %s by the recipe %s: %d images, %d steps", name, data.name, recipe.name, len(data), steps)
    try:
        with Progress(f"train {name}", steps) as progress:

            def tell(done: int, _: int, loss: float) -> None:
                progress.first = checkpoints.resumed_at if checkpoints is not None else 0
                progress.update(done, f"loss {loss:.3f}")

            report = train(
                network, data.pixels, data.labels, recipe, mean=mean, std=std, device=device, seed=seed, on_step=tell,
                checkpoints=checkpoints,
            )  # fmt: skip
    except (KeyboardInterrupt, Interrupted):
        log.info("%s", what_interruption_leaves(name, checkpoints))
        raise
    except DataError as error:
        left = what_interruption_leaves(name, checkpoints)
        raise DataError(f"{error}. {left} (of the same images: others are another training)") from error
    except FloatingPointError as error:
        if checkpoints is not None:
            checkpoints.folder.delete()  # from there it would come to the same end
        raise ModelError(f"training {name} failed: {error}") from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        remedy = f"type a smaller recipe.batch_size= (now {recipe.batch_size}) or run.device=cpu"
        raise ModelError(f"training {name} ran out of memory: {remedy}") from error
    log.info("trained in %.0f s", report.seconds)
    arrays: Arrays = {f"network.{key}": value.detach().cpu().numpy() for key, value in network.state_dict().items()}
    # the loop has checked the loss of each step, which comes before the step's own update
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ModelError(f"training {name} failed: the recipe {recipe.name} ended in NaN or infinity: lower recipe.lr")
    arrays |= {"input.mean": mean.cpu().numpy(), "input.std": std.cpu().numpy()}
    # torch's sums, and so the last bits of the weights, depend on the threads
    return arrays, {"seconds": report.seconds, "recipe": recipe.name, "threads": torch.get_num_threads()}


def what_interruption_leaves(name: str, checkpoints: TrainingCheckpoints | None) -> str:
    """Whether a training that was interrupted can be gone on with, and how."""
    step = checkpoints.folder.newest() if checkpoints is not None else 0
    if not step:
        return f"training {name} was interrupted before its first checkpoint (run.checkpoint_seconds): it begins anew next time"
    return (
        f"training {name} was interrupted: the same command goes on with it after step {step}, from its last checkpoint"
    )


def build_network(name: str, model: Model, shape: Shape, seed: int) -> nn.Module:
    """The network without trained weights, made under a seed of all global random numbers; lazy layers have their sizes.

    Args:
        name: of the model, for messages.
        model: its parameters.
        shape: (C, H, W) of the images.
        seed: of the weights that it draws.

    Raises:
        ModelError: its parameters do not make a network; another error of its constructor is a defect of that code.
    """
    try:
        with seeded(seed):
            network = uncompiled(model.network())
            materialise(network, name=name, shape=shape)
        return network
    except ArgumentError as error:
        raise ModelError(f"{name} cannot be built: {error}. `advlab describe {name}` lists its parameters") from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ModelError(
            f"{name} does not fit into memory: choose smaller parameters (`advlab describe {name}` lists them)"
        ) from error
