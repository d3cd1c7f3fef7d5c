"""Outputs of named layers, recorded by hooks while a network makes a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, bfloat16, float16, jit, nn

from advlab.errors import ModelError, suggest
from advlab.models.classification_layer import first_input

#: modules that pass their input on in evaluation
PASSING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity, nn.Flatten)


@contextlib.contextmanager
def recorded_outputs(
    network: nn.Module, layers: Sequence[str], *, head: str, name: str, option: str
) -> Iterator[dict[str, object]]:
    """The output of each layer by its name, filled by a forward pass in the block; by the last use of each layer.

    Args:
        network: whose modules the layers are.
        layers: names of modules; "auto": the input of the classification layer.
        head: name of the classification layer, empty when there is none.
        name: of the network, for messages.
        option: what names the layers, such as `probe.layer`, for messages.

    Raises:
        ModelError: there is no such module, or no classification layer where "auto" needs one.
    """
    # not listed where none is named: a training by hard points would do it five times a step
    modules = {} if set(layers) <= {"auto"} else dict(network.named_modules())
    outputs: dict[str, object] = {}

    def record_input(_: nn.Module, inputs: tuple[object, ...], keywords: dict[str, object]) -> None:
        outputs["auto"] = first_input(inputs, keywords)

    def recorder(layer: str) -> Callable[[nn.Module, object, object], None]:
        def record_output(_: nn.Module, __: object, output: object) -> None:
            outputs[layer] = output.clone() if isinstance(output, Tensor) else output  # later layers may write to it

        return record_output

    with contextlib.ExitStack() as hooks:
        for layer in layers:
            if layer == "auto" and not head:
                raise ModelError(f"{name} has no layer that is seen to give its logits: {remedy(network, option)}")
            if layer == "auto":
                handle = network.get_submodule(head).register_forward_pre_hook(record_input, with_kwargs=True)
            elif layer in modules and layer:
                handle = modules[layer].register_forward_hook(recorder(layer))
            else:
                raise ModelError(
                    f"{option}: {name} has no layer {layer!r}. {suggest(layer, [m for m in modules if m])}"
                )
            hooks.callback(handle.remove)
        yield outputs


def remedy(network: nn.Module, option: str) -> str:
    """What to type where the classification layer is not known."""
    if any(isinstance(module, jit.ScriptModule) for module in network.modules()):
        return "layers inside a module of torch.jit cannot be watched; give the torch.nn.Module that it was made from"
    return f"name the layer whose output is its features by {option}=..."


def features(outputs: dict[str, object], layer: str, images: int, *, name: str, option: str) -> Tensor:
    """(N, R) features of a recorded layer, flattened.

    Args:
        outputs: of `recorded_outputs`, after the forward pass.
        layer: its name.
        images: N, how many images the forward pass took.
        name: of the network, for messages.
        option: what names the layer, for messages.

    Raises:
        ModelError: the layer was not used, or does not give one tensor with a row for each image.
    """
    output = outputs.get(layer)
    if isinstance(output, Tensor) and output.ndim >= 2 and len(output) == images:
        return output.flatten(1).float() if output.dtype in (float16, bfloat16) else output.flatten(1)
    unused = layer not in outputs
    what = "is not used by a forward pass" if unused else "does not give one tensor with a row an image"
    raise ModelError(f"the layer {layer!r} of {name} {what}: name another by {option}=...")


def layers_in_order(network: nn.Module, forward_two_images: Callable[[], object]) -> list[str]:
    """Names of the modules without children in the order in which a forward pass uses them.

    Modules that pass their input on in evaluation (dropout, identity, flatten), or do not give a row for each image, are
    left out. One that is used several times stands where it is used last.

    Args:
        network: whose modules they are.
        forward_two_images: makes one forward pass of the network on two images.
    """
    used: list[str] = []

    def recorder(name: str) -> Callable[[nn.Module, object, object], None]:
        def record_use(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim >= 2 and len(output) == 2:
                used.append(name)

        return record_use

    with contextlib.ExitStack() as hooks:
        for name, module in network.named_modules():
            if name and not any(True for _ in module.children()) and not isinstance(module, PASSING):
                hooks.callback(module.register_forward_hook(recorder(name)).remove)
        forward_two_images()
    return [name for i, name in enumerate(used) if name not in used[i + 1 :]]
