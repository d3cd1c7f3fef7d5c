"""The random network of section IV-B of barati2021, and points of the square on which it is looked at."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advlab.models.classifier import Classifier
from advlab.models.networks.mlp import MLP

HIDDEN, CLASSES = (100, 100, 100), 5
HIDDEN_LAYERS = ("features.1", "features.3", "features.5")  # modules whose outputs are the features, from the input on


def random_mlp(seed: int) -> Classifier:
    """2-100-100-100-5 with tanh, weights from N(0, 1) and biases 0 (the paper names weights alone).

    It takes points as images (N, 2, 1, 1).
    """
    generator = torch.Generator().manual_seed(seed)
    network = MLP(input_shape=(2, 1, 1), classes=CLASSES, hidden=HIDDEN, activation="tanh")
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
    return Classifier(network.eval(), name="random MLP", shape=(2, 1, 1), mean=None, std=None)


def square_grid(resolution: int) -> Tensor:
    """(resolution^2, 2, 1, 1) points of [-1, 1]^2, those of its edges included; x2 runs fastest."""
    ticks = torch.linspace(-1, 1, resolution)
    return torch.cartesian_prod(ticks, ticks)[:, :, None, None]
