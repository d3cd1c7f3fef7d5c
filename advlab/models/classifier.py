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
from advlab.models.classification_layer import is_linear
from advlab.models.hidden_tensors import hidden_digest, hidden_tensors, make_buffers, unchanged
from advlab.models.inspection import Inspection, inspect_network, materialise
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
        input_dtype: of a network whose weights are in another precision than float32 and that takes no other images.
        hidden: digest of weights that are neither parameters nor buffers (`advlab.models.hidden_tensors`); empty: none.
    """

    scale: Tensor
    shift: Tensor
    writes_to_input: bool = False  # until it is inspected
    input_dtype: torch.dtype | None = None
    hidden: str = ""
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
        materialise(network, name=name, shape=shape)
        before = hidden_tensors(network)
        # no_grad, not inference_mode: a tensor that the network keeps from this pass must serve gradients later
        with frozen(self), torch.no_grad():
            self.classes, self.head, self.writes_to_input, self.behaviour = self._inspect(classes)
        weights = unchanged(before, network)
        self.hidden = hidden_digest(weights)
        make_buffers(weights)

    def _inspect(self, classes: int) -> Inspection:
        """See `inspect_network`; a network of half precision that refuses float32 images gets them in its own precision."""
        try:
            return inspect_network(self, self.network, name=self.name, shape=self.shape, classes=classes)
        except ModelError:
            dtypes = {weights.dtype for weights in self.network.parameters() if weights.is_floating_point()}
            if len(dtypes) != 1 or dtypes == {torch.float32}:
                raise
            (self.input_dtype,) = dtypes
            return inspect_network(self, self.network, name=self.name, shape=self.shape, classes=classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, classes) logits of (N, C, H, W) images in [0, 1], float32 or float64 as they are, whatever is computed inside."""
        given = x.dtype
        if self.normalises:
            x = torch.addcmul(self.shift, x, self.scale)
        elif self.writes_to_input:
            x = x.clone()
        logits: Tensor = self.network(x if self.input_dtype is None else x.to(self.input_dtype))
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            return logits  # which is refused
        return logits.to(given) if given in (torch.float32, torch.float64) else in_full_precision(logits)

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
    def head_key(self) -> dict[str, str]:
        """What keys of artifacts say of the classification layer: nothing of a linear or convolutional one."""
        module = dict(self.network.named_modules()).get(self.head) if self.head else None
        return {} if module is None or is_linear(module) else {"head": self.head}

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self.scale.device

    def digest(self) -> str:
        """SHA-256 over its layers, and over the names and bytes of its weights, buffers and normalisation."""
        state = sorted(self.state_dict().items())
        layers = re.sub(r" at 0x[0-9a-f]+", "", str(self.network))  # an address would change with every start
        text = "\n".join([layers, *(name for name, _ in state), *([self.hidden] if self.hidden else [])])
        for name, module in self.network.named_modules():
            if isinstance(
                module, torch.jit.ScriptModule
            ):  # which says of its layers, and of frozen weights, nothing else
                code, constants = module.code_with_constants
                text += f"\n{name}\n{code}"
                values = vars(constants)["const_mapping"]
                state += sorted((key, value) for key, value in values.items() if isinstance(value, Tensor))
        return tensor_digest(torch.tensor(list(text.encode()), dtype=torch.uint8), *(tensor for _, tensor in state))

    def double_copy(self, device: torch.device | None = None) -> Classifier:
        """A copy that computes in float64, to measure what float32 loses; on `device`, or where this one is.

        Raises:
            RuntimeError: it cannot be copied: torch.jit has frozen it, or it keeps tensors of a graph.
        """
        scripted = (module for module in self.modules() if isinstance(module, torch.jit.ScriptModule))
        if not all(module._c.hasattr("training") for module in scripted):  # a copy of it would end the process
            raise RuntimeError("torch.jit has frozen its weights in float32")
        double = copy.deepcopy(self).to(device or self.device).double()
        for module in double.modules():
            if isinstance(module, Classifier):
                module.input_dtype = None
        return double


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without parameter gradients while the block runs; both are restored after it, module by module."""
    # a module that torch.jit has frozen has no modes
    modes = [(module, module.training) for module in network.modules() if hasattr(module, "training")]
    requirements = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.eval()
    for parameter, _ in requirements:  # one by one: modules scripted by torch.jit have no `requires_grad_`
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, requires_grad in requirements:
            parameter.requires_grad_(requires_grad)


def in_full_precision(values: Tensor) -> Tensor:
    """Logits or features as float32 where they were computed in half precision; others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
