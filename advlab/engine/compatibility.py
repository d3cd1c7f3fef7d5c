"""Whether a device, a dataset and a model go together, and what to type when they do not."""

from __future__ import annotations

from typing import Any

from advlab.config.settings import Settings
from advlab.errors import ConfigError


def choose_device(name: str) -> Any:
    """`run.device` as a torch device; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: the device is not there.
    """
    import torch

    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    device = torch.device(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        raise ConfigError(f"run.device={name}: there is no such device here: type run.device=auto or run.device=cpu")
    return device


def check_compatibility(
    dataset: str, shape: tuple[int, int, int], classes: int, settings: Settings, logits: int = 0
) -> None:
    """Check that the model takes the dataset's images and has its classes.

    Args:
        dataset: its name, for the message.
        shape: (C, H, W) of its images.
        classes: how many it has; 0: not known yet.
        settings: of the run.
        logits: how many the network gives; 0: what the model declares.

    Raises:
        ConfigError: they do not fit; the message says what to type.
    """
    model, name = settings.model, settings.nodes["model"]["name"]
    if not hasattr(model, "shape"):
        return
    wanted = model.shape
    if wanted is not None and tuple(shape) != tuple(wanted):
        (c, h, w), (channels, height, _) = shape, wanted
        adapt = f"model.input=[{c},{h},{w}] or " if hasattr(model, "input") else ""
        keys = [f"dataset.size={height}"] if h != height else []
        keys += [f"dataset.channels={channels}"] if c != channels else []
        raise ConfigError(
            f"{name} takes images of {'x'.join(map(str, wanted))} (channels x height x width), {dataset} gives "
            f"{'x'.join(map(str, shape))}: type {adapt}{' '.join(keys)}"
        )
    outputs = logits or model.class_count
    if classes and outputs and classes != outputs:
        if hasattr(model, "classes") and not getattr(model, "pretrained", False):
            remedy = f"type model.classes={classes}"
        else:
            remedy = "choose the dataset that it was trained for by dataset=..., or another model"
        raise ConfigError(f"{name} has {outputs} classes, {dataset} has {classes}: {remedy}")
