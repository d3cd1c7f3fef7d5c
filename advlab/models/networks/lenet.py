"""LeNet as caffe trains it on MNIST: two convolutions without ReLU, then 500 hidden units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.errors import ArgumentError
from advlab.models.networks.shapes import check_class_count, output_shape


class LeNet(nn.Module):
    """conv 20@5x5, maxpool 2, conv 50@5x5, maxpool 2, ip1 500, ReLU, ip2 (BVLC/caffe, examples/mnist).

    Takes normalised images (N, C, H, W) and gives logits (N, classes). The layers have caffe's names. Pooling rounds
    sizes up as caffe does, so images from 13x13 pixels fit.

    Raises ArgumentError when the images are too small or there are fewer than two classes.
    """

    def __init__(self, *, input_shape: Shape, classes: int, hidden: int = 500) -> None:
        super().__init__()
        check_class_count(classes, network="LeNet")
        if hidden < 1:
            raise ArgumentError(f"LeNet: hidden must be at least 1, got {hidden}")
        self.conv1 = nn.Conv2d(input_shape[0], 20, 5)
        self.pool1 = nn.MaxPool2d(2, ceil_mode=True)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool2 = nn.MaxPool2d(2, ceil_mode=True)
        stack = nn.Sequential(self.conv1, self.pool1, self.conv2, self.pool2)
        channels, height, width = output_shape(stack, input_shape, network="LeNet", smallest=13)
        self.ip1 = nn.Linear(channels * height * width, hidden)
        self.relu = nn.ReLU()
        self.ip2 = nn.Linear(hidden, classes)
        for layer in (self.conv1, self.conv2, self.ip1, self.ip2):
            caffe_xavier_(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        logits: Tensor = self.ip2(self.relu(self.ip1(x.flatten(1))))
        return logits


def caffe_xavier_(layer: nn.Conv2d | nn.Linear) -> None:
    """Uniform weights within sqrt(3 / fan_in) and zero biases: caffe's "xavier" filler, in place."""
    fan_in = layer.weight[0].numel()
    bound = (3.0 / fan_in) ** 0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.zero_()
