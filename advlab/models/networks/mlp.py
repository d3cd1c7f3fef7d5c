"""A multilayer perceptron on flattened images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.errors import ArgumentError
from advlab.models.networks.shapes import check_class_count

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def _scaled_normal(layer: nn.Linear, gain: float) -> nn.Linear:
    nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5)
    nn.init.zeros_(layer.bias)
    return layer


#: name -> what it makes of a new layer, given the gain of the activation behind it
INITIALISATIONS: dict[str, Callable[[nn.Linear, float], nn.Linear]] = {
    "he": _scaled_normal,
    "torch": lambda layer, _: layer,
}


class MLP(nn.Module):
    """Fully connected layers of the widths `hidden`, each followed by `activation` ("relu" or "tanh").

    Takes normalised images (N, C, H, W) and gives logits (N, classes). An empty `hidden` is a linear classifier.
    `initialisation` "he" draws weights from N(0, gain^2 / inputs) with the gain of the activation, sqrt(2) for ReLU (He et al.
    2015) and 1 for the last layer, and biases are 0; "torch" is the default of `torch.nn.Linear`: weights and biases uniform
    up to 1 / sqrt(inputs).

    Raises ArgumentError when a width, the input shape, the number of classes, the activation or the initialisation is not
    usable.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: int,
        hidden: Sequence[int] = (512, 512),
        activation: str = "relu",
        initialisation: str = "he",
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
        if initialisation not in INITIALISATIONS:
            raise ArgumentError(f"MLP: initialisation must be {' or '.join(INITIALISATIONS)}, got {initialisation!r}")
        initialise = INITIALISATIONS[initialisation]
        gain = nn.init.calculate_gain("relu" if activation == "relu" else "tanh")
        inputs = input_shape[0] * input_shape[1] * input_shape[2]
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [initialise(nn.Linear(inputs, int(width)), gain), ACTIVATIONS[activation]()]
            inputs = int(width)
        self.features = nn.Sequential(*layers)
        self.classifier = initialise(nn.Linear(inputs, classes), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        logits: Tensor = self.classifier(self.features(x.flatten(1)))
        return logits
