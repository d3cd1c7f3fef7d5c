"""A multilayer perceptron on flattened images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.errors import ArgumentError
from advlab.models.networks.shapes import check_class_count

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


class MLP(nn.Module):
    """Fully connected layers of the widths `hidden`, each followed by `activation` ("relu" or "tanh").

    Takes normalised images (N, C, H, W) and gives logits (N, classes). An empty `hidden` is a linear classifier.

    Raises ArgumentError when a width, the input shape, the number of classes or the activation is not usable.
    """

    def __init__(
        self, *, input_shape: Shape, classes: int, hidden: Sequence[int] = (512, 512), activation: str = "relu"
    ) -> None:
        super().__init__()
        check_class_count(classes, network="MLP")
        if len(input_shape) != 3 or any(int(size) < 1 for size in input_shape):
            raise ArgumentError(
                f"MLP: input_shape must be (channels, height, width), each at least 1, got {input_shape}"
            )
        if any(int(width) < 1 for width in hidden):
            raise ArgumentError(f"MLP: hidden must list widths of at least 1, got {list(hidden)}")
        if activation not in ACTIVATIONS:
            raise ArgumentError(f"MLP: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        gain = nn.init.calculate_gain("relu" if activation == "relu" else "tanh")
        inputs = input_shape[0] * input_shape[1] * input_shape[2]
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [_linear(inputs, int(width), gain), ACTIVATIONS[activation]()]
            inputs = int(width)
        self.features = nn.Sequential(*layers)
        self.classifier = _linear(inputs, classes, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        logits: Tensor = self.classifier(self.features(x.flatten(1)))
        return logits


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=gain / inputs**0.5)
    nn.init.zeros_(layer.bias)
    return layer
