"""The one wrapper around every network: [0, 1] images in, logits and features of a named layer out."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from advlab.data.content import Shape
from advlab.data.images import tensor_digest
from advlab.errors import ModelError
from advlab.models.inspection import inspect_network
from advlab.models.layer_outputs import features, layers_in_order, recorded_outputs


class Classifier(nn.Module):
    """A network with its input normalisation.

    Args:
        network: takes normalised images and gives logits.
        name: as on the command line.
        shape: (C, H, W) of the images.
        classes: number of logits; 0: found by a forward pass.
        mean: broadcastable to (C, H, W), in [0, 1] units; None: 0.
        std: broadcastable to (C, H, W), in [0, 1] units; None: 1.

    Raises:
        ModelError: the network does not take such images, does not give (N, classes) logits, or gives probabilities; or
            mean or std are not one number, one a channel or an image.

    Attributes:
        scale: (C or 1, H or 1, W or 1) float32; the network takes scale * image + shift.
        shift: likewise.
        mean, std: of the input normalisation as they were given, on the CPU, in [0, 1] units.
        normalises: whether that changes the image.
        head, writes_to_input, behaviour: see `advlab.models.inspection.Inspection`.
    """

    scale: Tensor
    shift: Tensor
    writes_to_input: bool = False  # until it is inspected
    is_defended: bool = False  # whether images pass a defense first
    rejects: bool = False  # whether there is one more logit, the last, which says that the image is rejected

    def __init__(
        self, network: nn.Module, *, name: str, shape: Shape, classes: int = 0, mean: Tensor | None, std: Tensor | None
    ) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.shape = shape
        zero = torch.zeros(shape[0], 1, 1)
        mean = zero if mean is None else mean
        std = zero + 1 if std is None else std
        for what, values in (("mean", mean), ("std", std)):
            if values.ndim != 3 or any(n not in (1, m) for n, m in zip(values.shape, shape, strict=True)):
                raise ModelError(
                    f"the {what} of {name}'s input normalisation has the shape {tuple(values.shape)}: one number, one for each "
                    f"of {shape[0]} channels or an image of {'x'.join(map(str, shape))} is needed (model.{what}=[...])"
                )
        self.mean, self.std = mean.detach().cpu(), std.detach().cpu()
        self.normalises = bool((mean != 0).any() or (std != 1).any())
        scale, shift = 1 / std.double(), -mean.double() / std.double()
        self.register_buffer("scale", (scale + torch.zeros_like(zero, dtype=scale.dtype)).float())
        self.register_buffer("shift", (shift + torch.zeros_like(scale)).float())
        # no_grad, not inference_mode: a tensor that the network keeps from this pass must serve gradients later
        with frozen(self), torch.no_grad():
            inspection = inspect_network(self, network, name=name, shape=shape, classes=classes)
        self.classes, self.head, self.writes_to_input, self.behaviour = inspection

    def forward(self, x: Tensor) -> Tensor:
        """(N, classes) logits of (N, C, H, W) images in [0, 1]."""
        if self.normalises:
            x = torch.addcmul(self.shift, x, self.scale)
        elif self.writes_to_input:
            x = x.clone()
        logits: Tensor = self.network(x)
        return logits

    def features(self, x: Tensor, layer: str = "auto") -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and features (N, R) of one layer; see `layer_features`."""
        logits, (layer_features,) = self.layer_features(x, [layer])
        return logits, layer_features

    def layer_features(
        self, x: Tensor, layers: Sequence[str], *, option: str = "probe.layer"
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, classes) of (N, C, H, W) images, and the features (N, R) of each layer, from one forward pass.

        Args:
            x: images in [0, 1].
            layers: names of modules whose output (of their last use, if there are several) is taken, flattened; "auto":
                the input of the classification layer, which is the last linear or convolutional module that gives
                `classes` channels.
            option: what names the layers, for errors.

        Raises:
            ModelError: there is no such module, or it gives no tensor with a row for each image, or there is no
                classification layer for "auto".
        """
        with recorded_outputs(self.network, layers, head=self.head, name=self.name, option=option) as outputs:
            logits = self(x)
        return logits, [features(outputs, layer, len(x), name=self.name, option=option) for layer in layers]

    def layers(self) -> list[str]:
        """Names of the modules without children in the order in which a forward uses them, up to the classification layer.

        See `advlab.models.layer_outputs.layers_in_order` for those that are left out.
        """
        x = torch.zeros((2, *self.shape), device=self.device, dtype=self.scale.dtype)
        with frozen(self), torch.no_grad():
            order = layers_in_order(self.network, lambda: self(x))
        return order[: order.index(self.head)] if self.head in order else order

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self.scale.device

    def digest(self) -> str:
        """SHA-256 over its layers, and over the names and bytes of its weights, buffers and normalisation."""
        state = sorted(self.state_dict().items())
        layers = re.sub(r" at 0x[0-9a-f]+", "", str(self.network))  # an address would change with every start
        text = "\n".join([layers, *(name for name, _ in state)])
        return tensor_digest(torch.tensor(list(text.encode()), dtype=torch.uint8), *(tensor for _, tensor in state))

    def double_copy(self, device: torch.device | None = None) -> Classifier:
        """A copy that computes in float64, to measure what float32 loses; on `device`, or where this one is."""
        return copy.deepcopy(self).to(device or self.device).double()


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without parameter gradients while the block runs; both are restored after it, module by module."""
    modes = [(module, module.training) for module in network.modules()]
    requirements = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.eval()
    network.requires_grad_(False)
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, requires_grad in requirements:
            parameter.requires_grad_(requires_grad)
