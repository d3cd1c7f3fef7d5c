"""Network-in-Network for CIFAR (Lin, Chen and Yan 2013), as MatConvNet's example builds it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.models.networks.shapes import check_class_count, output_shape


class NiN(nn.Module):
    """Three blocks of one convolution and two 1x1 convolutions, dropout between them, a global average at the end.

    conv5x5-192, 1x1-160, 1x1-96, max 3/2; conv5x5-192, 1x1-192, 1x1-192, average 3/2; conv3x3-192, 1x1-192,
    1x1-classes without ReLU (vlfeat/matconvnet, cnn_cifar_init_nin.m). No batch norm. Takes normalised images
    (N, C, H, W) and gives logits (N, classes). The features before the classification layer are maps, not a vector.

    Raises ArgumentError when images are smaller than 5x5 pixels or there are fewer than two classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        check_class_count(classes, network="NiN")
        self.features = nn.Sequential(
            *_convolution(input_shape[0], 192, 5),
            *_convolution(192, 160, 1),
            *_convolution(160, 96, 1),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(96, 192, 5),
            *_convolution(192, 192, 1),
            *_convolution(192, 192, 1),
            nn.AvgPool2d(3, stride=2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(192, 192, 3),
            *_convolution(192, 192, 1),
        )
        self.classifier = nn.Conv2d(192, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.classifier.weight.mul_(0.1)  # as MatConvNet does: the first loss is near log(classes)
        output_shape(self.features, input_shape, network="NiN", smallest=5)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        logits: Tensor = self.classifier(self.features(x)).mean(dim=(2, 3))
        return logits


def _convolution(inputs: int, outputs: int, size: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.ReLU()]
