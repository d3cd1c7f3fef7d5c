"""The one wrapper around every network: [0, 1] images in, logits and features of a named layer out."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from advlab.data.images import Shape, tensor_digest
from advlab.errors import ModelError, suggest


class Classifier(nn.Module):
    """A network with its input normalisation.

    Args:
        network: takes normalised images and gives logits.
        name: as on the command line.
        shape: (C, H, W) of the images.
        classes: number of logits; 0: found by a forward pass.
        mean: broadcastable to (C, H, W), in [0, 1] units.
        std: likewise.

    Raises:
        ModelError: the network does not take such images, does not give (N, classes) logits, or gives probabilities; or
            mean or std are not one number, one a channel or an image.
    """

    scale: Tensor
    shift: Tensor
    overwrites: bool = False  # whether the network works in place on its input, which the caller still needs
    behaviour: list[str]  # a few logits of one fixed image, rounded: tells networks apart that differ in code alone

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
        self.normalises = bool((mean != 0).any() or (std != 1).any())
        scale, shift = 1 / std.double(), -mean.double() / std.double()
        self.register_buffer("scale", (scale + torch.zeros_like(zero, dtype=scale.dtype)).float())
        self.register_buffer("shift", (shift + torch.zeros_like(scale)).float())
        self.classes, self._head = self._probe(classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, classes) logits of (N, C, H, W) images in [0, 1]."""
        if self.normalises:
            x = torch.addcmul(self.shift, x, self.scale)
        elif self.overwrites:
            x = x.clone()
        logits: Tensor = self.network(x)
        return logits

    def features(self, x: Tensor, layer: str = "auto") -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and features (N, R) of (N, C, H, W) images; `layer_features` for one layer."""
        logits, (found,) = self.layer_features(x, [layer])
        return logits, found

    def layer_features(self, x: Tensor, layers: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, classes) of (N, C, H, W) images, and the features (N, R) of each layer, from one forward.

        Args:
            x: images in [0, 1].
            layers: names of modules whose output (the last one, if it is used several times) is taken, flattened;
                "auto": the input of the classification layer, which is the last linear or convolutional module that
                gives `classes` channels.

        Raises:
            ModelError: there is no such module, or it gives no tensor, or no module can be told to be the classification
                layer.
        """
        modules = dict(self.network.named_modules())
        kept: dict[str, object] = {}
        with contextlib.ExitStack() as hooks:
            for layer in layers:
                if layer == "auto":
                    if not self._head:
                        raise ModelError(
                            f"{self.name} has no linear or convolutional layer: name its feature layer by probe.layer=..."
                        )
                    handle = modules[self._head].register_forward_pre_hook(
                        lambda _, inputs: kept.__setitem__("auto", inputs[0])
                    )
                elif layer not in modules or not layer:
                    raise ModelError(
                        f"{self.name} has no layer {layer!r}. {suggest(layer, [name for name in modules if name])}"
                    )
                else:
                    handle = modules[layer].register_forward_hook(  # a copy: what follows may work in place
                        lambda _, __, out, layer=layer: kept.__setitem__(
                            layer, out.clone() if isinstance(out, Tensor) else out
                        )
                    )
                hooks.callback(handle.remove)
            logits = self(x)
        found = []
        for layer in layers:
            out = kept.get(layer)
            if not isinstance(out, Tensor) or out.ndim < 2 or len(out) != len(x):
                what = (
                    "is not used by a forward pass"
                    if layer not in kept
                    else "does not give one tensor with a row an image"
                )
                raise ModelError(f"the layer {layer!r} of {self.name} {what}: name another by probe.layer=...")
            found.append(out.flatten(1))
        return logits, found

    def layers(self) -> list[str]:
        """Names of the modules without children in the order in which a forward uses them, up to the classification layer.

        Those that pass their input on in evaluation (dropout, identity, flatten), or do not give a row an image, are
        left out; one that is used several times stands where it is used last.
        """
        passing = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity, nn.Flatten)
        leaves = {
            name: module
            for name, module in self.network.named_modules()
            if name and not any(True for _ in module.children()) and not isinstance(module, passing)
        }
        used: list[str] = []

        def note(name: str, out: object) -> None:
            if isinstance(out, Tensor) and out.ndim >= 2 and len(out) == 2:
                used.append(name)

        with contextlib.ExitStack() as hooks:
            for name, module in leaves.items():
                handle = module.register_forward_hook(lambda _, __, out, name=name: note(name, out))
                hooks.callback(handle.remove)
            with frozen(self), torch.no_grad():
                self(torch.zeros((2, *self.shape), device=self.device, dtype=self.scale.dtype))
        order = [name for i, name in enumerate(used) if name not in used[i + 1 :]]
        return order[: order.index(self._head)] if self._head in order else order

    @property
    def head(self) -> str:
        """Name of the classification layer; empty when the network has no linear or convolutional module."""
        return self._head

    @property
    def device(self) -> torch.device:
        """Where its parameters live."""
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

    def _probe(self, classes: int) -> tuple[int, str]:
        """Number of logits and name of the classification layer, from one forward pass on two images."""
        calls: list[tuple[str, int]] = []
        widths = {
            name: module.out_features if isinstance(module, nn.Linear) else module.out_channels
            for name, module in self.network.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
        }
        handles = [
            self.network.get_submodule(name).register_forward_hook(
                lambda _, __, ___, name=name, width=width: calls.append((name, width))
            )
            for name, width in widths.items()
        ]
        x = torch.rand((2, *self.shape), generator=torch.Generator().manual_seed(0))
        size = "x".join(map(str, self.shape))
        before, version = x.clone(), writes(x)
        try:
            with frozen(self), torch.no_grad():  # not inference_mode: what a network keeps must serve gradients later
                logits = self(x)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            raise ModelError(
                f"{self.name} does not take images of {size}: {error}. Give their size by model.input=[C,H,W], "
                "dataset.size=... and dataset.channels=..., or input_shape where a plug-in registers it"
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != 2 or logits.shape[1] < 2:
            what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(
                f"{self.name} must give logits of shape (N, classes), at least 2 classes; it gives {what} for 2 images of "
                f"{size}"
            )
        if classes and logits.shape[1] != classes:
            raise ModelError(f"{self.name} gives {logits.shape[1]} logits, {classes} are declared")
        if bool((logits >= 0).all()) and torch.allclose(
            logits.double().sum(1), torch.ones(2, dtype=torch.float64), atol=1e-4
        ):
            raise ModelError(f"{self.name} gives probabilities; logits are needed: take away its final softmax")
        self.overwrites = writes(x) != version or not torch.equal(x, before)
        self.behaviour = [f"{value:.2e}" for value in logits[0, :16].tolist()]
        heads = [name for name, width in calls if width == logits.shape[1]] or [name for name, _ in calls]
        return int(logits.shape[1]), heads[-1] if heads else ""


def writes(x: Tensor) -> int:
    """How often `x` was written to in place, through itself or a view; 0 for a tensor of inference mode, which keeps no count."""
    return 0 if x.is_inference() else x._version


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without parameter gradients while the block runs; every module's mode is restored after it."""
    modes = [(module, module.training) for module in network.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.eval()
    network.requires_grad_(False)
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, grad in wanted:
            parameter.requires_grad_(grad)
