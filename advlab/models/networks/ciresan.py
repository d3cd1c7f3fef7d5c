"""The traffic-sign networks of Ciresan et al. (2012) and Aghdam et al. (2015): one column each, for 48x48 images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.models.networks.shapes import check_class_count, output_shape


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), LeCun's scaled hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return 1.7159 * torch.tanh(x * (2.0 / 3.0))


class _Column(nn.Module):
    """conv 7x7-100, conv 4x4-150, conv 4x4-250, each followed by maxpool 2, then fc 300 and the classifier."""

    def __init__(self, *, input_shape: Shape, classes: int, activation: type[nn.Module], groups: int) -> None:
        super().__init__()
        network = type(self).__name__
        check_class_count(classes, network=network)
        # Max-pooling comes before the activation: both are monotone, so they commute, and this way round the
        # activation works on a quarter of the values.
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 100, 7),
            nn.MaxPool2d(2, ceil_mode=True),
            activation(),
            nn.Conv2d(100, 150, 4, groups=groups),
            nn.MaxPool2d(2, ceil_mode=True),
            activation(),
            nn.Conv2d(150, 250, 4, groups=groups),
            nn.MaxPool2d(2, ceil_mode=True),
            activation(),
        )
        channels, height, width = output_shape(self.features, input_shape, network=network, smallest=25)
        self.fc1 = nn.Linear(channels * height * width, 300)
        self.activation = activation()
        self.fc2 = nn.Linear(300, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        x = self.features(x)
        logits: Tensor = self.fc2(self.activation(self.fc1(x.flatten(1))))
        return logits


class Ciresan(_Column):
    """One column of the multi-column network of Ciresan et al. (2012) with the scaled tanh.

    Takes normalised images (N, C, H, W) and gives logits (N, classes); 1,543,443 parameters for 3x48x48 and 43 classes.

    Raises ArgumentError when images are smaller than 25x25 pixels or there are fewer than two classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int) -> None:
        super().__init__(input_shape=input_shape, classes=classes, activation=ScaledTanh, groups=1)
        _initialise(self, gain=1.0)


class Aghdam(_Column):
    """The column of Aghdam et al. (2015): leaky ReLU, and two groups in the second and the third convolution.

    Takes normalised images (N, C, H, W) and gives logits (N, classes); 1,123,443 parameters for 3x48x48 and 43 classes,
    27 % fewer than Ciresan's, as its abstract says.

    Raises ArgumentError when images are smaller than 25x25 pixels or there are fewer than two classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int) -> None:
        super().__init__(input_shape=input_shape, classes=classes, activation=nn.LeakyReLU, groups=2)
        _initialise(self, gain=2.0**0.5)


def _initialise(network: nn.Module, *, gain: float) -> None:
    """Normal weights of standard deviation gain / sqrt(fan_in), zero biases."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, std=gain / module.weight[0].numel() ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
