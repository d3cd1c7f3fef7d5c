"""The random network of section IV-B of barati2021, and points of its square."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.models.classifier import Classifier

HIDDEN, CLASSES = (100, 100, 100), 5


def random_mlp(seed: int) -> Classifier:
    """2-100-100-100-5 with tanh, weights from N(0, 1) and biases 0 (the paper names weights alone).

    Takes points as images (N, 2, 1, 1).
    """
    import torch
    from torch import nn

    from advlab.models.classifier import Classifier
    from advlab.models.networks.mlp import MLP

    generator = torch.Generator().manual_seed(seed)
    network = MLP(input_shape=(2, 1, 1), classes=CLASSES, hidden=HIDDEN, activation="tanh")
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
    return Classifier(network.eval(), name="random MLP", shape=(2, 1, 1), mean=None, std=None)


def grid(resolution: int) -> Tensor:
    """(resolution^2, 2, 1, 1) points of [-1, 1]^2, its boundary included, x2 running fastest."""
    import torch

    ticks = torch.linspace(-1, 1, resolution)
    return torch.cartesian_prod(ticks, ticks)[:, :, None, None]
