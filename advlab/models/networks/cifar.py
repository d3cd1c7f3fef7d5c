"""Two networks for 32x32 colour images: a small AlexNet, and a small VGG that two processor cores train in minutes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.errors import ArgumentError
from advlab.models.networks.shapes import check_class_count, output_shape


class CifarAlexNet(nn.Module):
    """AlexNet's five convolutions (Krizhevsky 2012) at the scale of CIFAR, and one classification layer.

    conv11x11/4-64, maxpool 2, conv5x5-192, maxpool 2, conv3x3-384, conv3x3-256, conv3x3-256, maxpool 2, fc: the
    variant that is usual for CIFAR (bearpaw/pytorch-classification). Takes normalised images (N, C, H, W) and gives
    logits (N, classes).

    Raises ArgumentError when images are smaller than 11x11 pixels or there are fewer than two classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_class_count(classes, network="CifarAlexNet")
        # Max-pooling comes before the ReLU: they commute, and the ReLU then works on a quarter of the values.
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 64, 11, stride=4, padding=5),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.ReLU(),
        )
        channels, height, width = output_shape(self.features, input_shape, network="CifarAlexNet", smallest=11)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels * height * width, classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        logits: Tensor = self.classifier(self.dropout(self.features(x).flatten(1)))
        return logits


class CifarVGG(nn.Module):
    """Blocks of two 3x3 convolutions with batch norm and a maxpool 2, then one classification layer.

    `widths` are the channels of the blocks. Takes normalised images (N, C, H, W) and gives logits (N, classes).

    Raises ArgumentError when images are smaller than 2^blocks pixels, a width is below 1, or there are fewer than two
    classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__()
        check_class_count(classes, network="CifarVGG")
        if not widths or any(int(width) < 1 for width in widths):
            raise ArgumentError(f"CifarVGG: widths must list at least one width, each at least 1, got {list(widths)}")
        layers: list[nn.Module] = []
        inputs = input_shape[0]
        for outputs in map(int, widths):
            layers += [*_normalised_convolution(inputs, outputs), nn.ReLU()]
            # Max-pooling comes before the ReLU: they commute, and the ReLU then works on a quarter of the values.
            layers += [*_normalised_convolution(outputs, outputs), nn.MaxPool2d(2), nn.ReLU()]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        smallest = 2 ** len(widths)
        channels, height, width = output_shape(self.features, input_shape, network="CifarVGG", smallest=smallest)
        self.classifier = nn.Linear(channels * height * width, classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


def _normalised_convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]


def _initialise(network: nn.Module) -> None:
    """Kaiming's normal weights for the convolutions, 1 / sqrt(fan_in) for the classifier, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
