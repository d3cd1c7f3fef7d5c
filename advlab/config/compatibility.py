"""Whether a dataset's images and classes are those that the model takes, and what to type when they are not."""

from __future__ import annotations

from typing import Any

from advlab.errors import ConfigError


def check_compatibility(
    dataset: str, shape: tuple[int, int, int], classes: int, settings: Any, logits: int = 0
) -> None:
    """Check that the model takes the dataset's images and has its classes.

    Args:
        dataset: its name, for the message.
        shape: (C, H, W) of its images.
        classes: how many it has; 0: not known yet.
        settings: of the run (`Settings`).
        logits: how many the network gives; 0: what the model declares.

    Raises:
        ConfigError: they do not fit; the message says what to type.
    """
    model, name = settings.model, settings.nodes["model"]["name"]
    if not hasattr(model, "shape"):  # the choice `none`
        return
    model_shape = model.shape
    if model_shape is not None and tuple(shape) != tuple(model_shape):
        (c, h, w), (channels, height, _) = shape, model_shape
        adapt = (
            f"model.input=[{c},{h},{w}] or "
            if hasattr(model, "input") and not getattr(model, "pretrained", False)
            else ""
        )
        keys = [f"dataset.size={height}"] if h != height else []
        keys += [f"dataset.channels={channels}"] if c != channels else []
        raise ConfigError(
            f"{name} takes images of {'x'.join(map(str, model_shape))} (channels x height x width), {dataset} gives "
            f"{'x'.join(map(str, shape))}: type {adapt}{' '.join(keys)}"
        )
    outputs = logits or model.class_count
    if classes and outputs and classes != outputs:
        if hasattr(model, "classes") and not getattr(model, "pretrained", False):
            remedy = f"type model.classes={classes}"
        else:
            remedy = "choose the dataset that it was trained for by dataset=..., or another model"
        if getattr(settings.dataset, "labels", None) == "" and outputs > classes:
            remedy += (
                ", or say which of the network's classes its folders are by dataset.labels=imagenet (folders named by WordNet "
                "id or name) or dataset.labels=FILE (lines `folder,class`)"
            )
        raise ConfigError(f"{name} has {outputs} classes, {dataset} has {classes}: {remedy}")
