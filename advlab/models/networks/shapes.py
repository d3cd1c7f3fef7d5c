"""The output shape of a stack of layers, found before the linear layers behind it are made."""

from __future__ import annotations

import torch
from torch import nn

from advlab.data.content import Shape
from advlab.errors import ArgumentError


def output_shape(layers: nn.Module, input_shape: Shape, *, network: str, smallest: int) -> Shape:
    """Shape (channels, height, width) that `layers` make of one image of `input_shape`.

    `network` and `smallest` (pixels) only word the error.

    Raises ArgumentError when `input_shape` is not three positive numbers, or an image is too small for the layers.
    """
    if len(input_shape) != 3 or any(int(size) < 1 for size in input_shape):
        raise ArgumentError(
            f"{network}: input_shape must be (channels, height, width), each at least 1, got {input_shape}"
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise ArgumentError(
            f"{network} needs images of at least {smallest}x{smallest} pixels, got {height}x{width}: resize the dataset"
        )
    training = layers.training
    layers.eval()  # neither dropout nor the statistics of a batch norm may notice this
    with torch.no_grad():
        shape = layers(torch.zeros(1, channels, height, width)).shape
    layers.train(training)
    return int(shape[1]), int(shape[2]), int(shape[3])


def check_class_count(classes: int, *, network: str) -> None:
    """Raises ArgumentError unless there are at least two classes."""
    if classes < 2:
        raise ArgumentError(f"{network}: classes must be at least 2, got {classes}")
