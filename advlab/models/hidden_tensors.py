"""Tensors and modules that a network keeps where torch does not look: plain attributes, lists and mappings.

They are no parameters or buffers, so that `to`, `double`, `eval` and `state_dict` pass them over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from advlab.data.images import tensor_digest


class HiddenTensor(NamedTuple):
    """A tensor that is no parameter and no buffer.

    Attributes:
        path: where it is, such as `block.scale` or `layers[0].weight`.
        module: that holds it.
        attribute: the module's, when it is the tensor itself; empty for one inside a list or mapping.
        tensor: it.
        version: how often it had been written to.
    """

    path: str
    module: nn.Module
    attribute: str
    tensor: Tensor
    version: int


def hidden_tensors(network: nn.Module) -> list[HiddenTensor]:
    """The tensors that a network's modules hold as plain attributes, or in lists and mappings."""
    return [
        HiddenTensor(path, module, attribute if isinstance(value, Tensor) else "", tensor, _version(tensor))
        for module, attribute, path, value in _attributes(network)
        for path, tensor in _tensors(path, value)
    ]


def hidden_modules(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that stand in plain lists and mappings, with where they are: `eval()` does not reach them."""
    return [found for _, _, path, value in _attributes(network) for found in _modules(path, value)]


def unchanged(before: list[HiddenTensor], network: nn.Module) -> list[HiddenTensor]:
    """Those of `before`, taken before a forward pass, that it has left alone: weights, and no kept activations or counters."""
    now = {(found.path, id(found.tensor), found.version) for found in hidden_tensors(network)}
    return [found for found in before if (found.path, id(found.tensor), found.version) in now]


def hidden_digest(weights: list[HiddenTensor]) -> str:
    """SHA-256 over the names and bytes of hidden weights; empty where there are none."""
    if not weights:
        return ""
    names = "\n".join(found.path for found in weights)
    return tensor_digest(torch.tensor(list(names.encode()), dtype=torch.uint8), *(found.tensor for found in weights))


def make_buffers(weights: list[HiddenTensor]) -> None:
    """Turn the weights that are plain attributes into buffers, which follow their module to a device and a precision."""
    for found in weights:
        if found.attribute and not found.tensor.is_inference():
            delattr(found.module, found.attribute)
            found.module.register_buffer(found.attribute, found.tensor.detach(), persistent=False)


def _attributes(network: nn.Module) -> Iterator[tuple[nn.Module, str, str, Any]]:
    """(module, attribute, path, value) of the attributes that may hide something; torch's own are left out."""
    own = set(vars(nn.Module()))
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        for attribute, value in vars(module).items():
            if attribute not in own and isinstance(value, Tensor | list | tuple | Mapping):
                yield module, attribute, f"{name}.{attribute}" if name else attribute, value


def _tensors(path: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, nn.Module):
        yield from ((f"{path}.{name}", tensor) for name, tensor in value.state_dict().items())
    else:
        for place, item in _items(path, value):
            yield from _tensors(place, item)


def _modules(path: str, value: Any) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield from ((f"{path}.{name}" if name else path, module) for name, module in value.named_modules())
    else:
        for place, item in _items(path, value):
            yield from _modules(place, item)


def _items(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{path}[{key!r}]", item) for key, item in value.items()]
    return [(f"{path}[{i}]", item) for i, item in enumerate(value)] if isinstance(value, list | tuple) else []


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
