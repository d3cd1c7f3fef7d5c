"""A model: a small convolutional network, trained by a recipe.

advlab --plugin examples/model.py model=small_net recipe=lenet_digits run.preset=tiny
advlab --plugin examples/model.py -m model=small_net model.activation=relu,tanh recipe=lenet_digits run.preset=tiny
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

import advlab

if TYPE_CHECKING:  # a plug-in is loaded to be listed as well, which need not wait for torch
    from torch import nn


@advlab.model("small_net", input_shape=(1, 28, 28), dataset="digits", trained=False)
def small_net(
    width: Annotated[int, Ge(1)] = 16, activation: Literal["relu", "tanh"] = "relu", classes: Annotated[int, Ge(2)] = 10
) -> nn.Module:
    """Two 3x3 convolutions and a linear layer, for images of 28x28 pixels with one channel.

    advlab seeds torch before it calls this, gives it the recipe's normalisation of the images, trains it and keeps the
    weights. A factory that returns trained weights leaves `trained=False` out and names `mean` and `std`, if it takes other
    images than those in [0, 1].

    Args:
        width: channels of the first convolution; the second has twice as many.
        activation: after each convolution.
        classes: logits.
    """
    from torch import nn

    nonlinearity = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nonlinearity(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nonlinearity(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * 7 * 7, classes),
    )  # fmt: skip
