"""Tensors of a pretended CUDA device (see tests/helpers/pretended_cuda.py): CPU memory that refuses to meet CPU tensors."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves, tree_map

from tests.helpers.pretended_division import computed, in_place

CUDA = torch.device("cuda", 0)
HOST = torch.device("cpu")

#: make a tensor on the CPU unless they are told a device, also where a number among their arguments is on the other device
FACTORIES = {torch.arange, torch.full, torch.linspace, torch.logspace, torch.scalar_tensor}
#: make a tensor, by default on the device of their first argument
FACTORIES_OF_A_TENSOR = {
    torch.as_tensor, torch.asarray, torch.empty_like, torch.full_like, torch.ones_like, torch.rand_like, torch.randint_like,
    torch.randn_like, torch.tensor, torch.zeros_like, Tensor.new_empty, Tensor.new_full, Tensor.new_ones, Tensor.new_tensor,
    Tensor.new_zeros,
}  # fmt: skip
#: bring a single number or text to the host, compare two shapes, or pass tensors on untouched
READS = {
    Tensor.__bool__, Tensor.__deepcopy__, Tensor.__float__, Tensor.__format__, Tensor.__index__, Tensor.__int__,
    Tensor.__len__, Tensor.__repr__, Tensor.is_same_size, Tensor.item, Tensor.tolist,
}  # fmt: skip
#: attributes that are tensors of the same device
TENSOR_ATTRIBUTES = {"H", "T", "_base", "data", "grad", "imag", "mH", "mT", "real"}
#: operations that take no CPU tensor beside CUDA tensors, not even one without dimensions
WITHOUT_SCALARS = {
    torch.cat, torch.column_stack, torch.concat, torch.dstack, torch.hstack, torch.stack, torch.vstack,
}  # fmt: skip
#: write a number or a copy into a tensor, wherever it comes from
WRITES = {Tensor.copy_, Tensor.fill_}
#: take floats alone on CUDA, and integers as well on the CPU
OF_FLOATS = {
    torch.addmm, torch.baddbmm, torch.bmm, torch.einsum, torch.matmul, torch.mm, torch.mv, Tensor.__matmul__, Tensor.__rmatmul__,
    Tensor.bmm, Tensor.matmul, Tensor.mm, Tensor.mv, F.conv1d, F.conv2d, F.linear,
}  # fmt: skip


class PretendedTensor(Tensor):
    """A tensor on the pretended device."""

    __module__ = "torch"  # libraries that know a tensor by its class's module take it for torch's own

    def as_subclass(self, cls: Any) -> Any:
        """A plain tensor of the device is one of this class."""
        return self if cls is Tensor else Tensor.as_subclass(self, cls)

    def __deepcopy__(self, memo: dict[int, Any]) -> PretendedTensor:
        copied: Any = self.detach().clone().requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            copied._is_param = True
        memo[id(self)] = copied
        return copied  # type: ignore[no-any-return]


def on_cuda(device: Any) -> bool:
    """Whether a device as torch's functions take it (a number, a name or a device) is the pretended one."""
    return torch.device(device).type == "cuda"


def placed(value: Any, to_cuda: bool) -> Any:
    """A tensor, seen as one of the pretended device or of the CPU over the same memory; anything else as it is."""
    if not isinstance(value, Tensor) or isinstance(value, PretendedTensor) == to_cuda:
        return value
    return Tensor.as_subclass(value, PretendedTensor if to_cuda else Tensor)


def copied(value: Tensor, to_cuda: bool) -> Any:
    """A tensor on the given device: itself where it is there, else a copy."""
    return value if isinstance(value, PretendedTensor) == to_cuda else placed(value.clone(), to_cuda)


class Pretence(TorchFunctionMode):
    """Runs torch's functions as a build with a CUDA device would: refused where devices meet, else on the CPU's memory.

    Args:
        memory: bytes of the largest single result that fits.
    """

    def __init__(self, memory: int) -> None:
        super().__init__()
        self.memory, self.largest = memory, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():
            result = self.run(func, args, dict(kwargs or {}))
            for made in tree_leaves(result):
                if isinstance(made, PretendedTensor):
                    self.account(made)
        return result

    def account(self, made: Tensor) -> None:
        """Note the bytes of a result, or refuse it as a full device does."""
        size = made.untyped_storage().nbytes()
        if size > self.memory:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes of {self.memory}")
        self.largest = max(self.largest, size)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of one function, by its kind."""
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
        name = getattr(func, "__name__", str(func))
        if name == "__get__" and there:
            return attribute(func, args)
        if func in READS or func in WRITES or name in ("__set__", "__delete__"):
            return func(*args, **kwargs)
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            return item(func, args)
        if name == "_has_compatible_shallow_copy_type":  # a parameter that changes its device becomes another object
            return len(there) in (0, len(tensors))
        if func in (Tensor.numpy, Tensor.__array__) and there and not kwargs.get("force"):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it to host memory first."
            )
        if func is Tensor.get_device:
            return 0 if there else -1
        if func in (Tensor.cpu, Tensor.cuda):
            return copied(args[0], func is Tensor.cuda)
        if func in (Tensor.to, Tensor.type_as):
            return to(func, args, kwargs)
        if func in FACTORIES or func in FACTORIES_OF_A_TENSOR or kwargs.get("device") is not None:
            return made(func, args, kwargs)
        written = [*(args[:1] if in_place(name) else ()), *tree_leaves(kwargs.get("out"))]
        refuse_two_devices(func, tensors, written)
        check_generator(kwargs, bool(there))
        if there and func in OF_FLOATS and not any(x.is_floating_point() or x.is_complex() for x in there):
            raise RuntimeError(f'"{name}_cuda" not implemented for {there[0].dtype}')
        if not there:
            return func(*args, **kwargs)
        return tree_map(lambda value: placed(value, True), computed(func, args, kwargs))


def attribute(func: Any, args: tuple[Any, ...]) -> Any:
    """An attribute of a tensor of the pretended device."""
    name = getattr(getattr(func, "__self__", None), "__name__", "")
    known = {"device": CUDA, "is_cuda": True, "is_cpu": False}
    if name in known:
        return known[name]
    return placed(func(*args), True) if name in TENSOR_ATTRIBUTES else func(*args)


def to(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`Tensor.to` and `Tensor.type_as`: the change of type first, then the copy to the device."""
    x, *rest = args
    target: Any = isinstance(x, PretendedTensor)
    for i, value in enumerate(rest):
        if isinstance(value, Tensor):
            target = isinstance(value, PretendedTensor)
        elif isinstance(value, str | torch.device) or (isinstance(value, int) and not isinstance(value, bool)):
            target, rest[i] = on_cuda(value), HOST
    if kwargs.get("device") is not None:
        target, kwargs["device"] = on_cuda(kwargs["device"]), HOST
    result = func(x, *(placed(value, False) for value in rest), **kwargs)
    shared = result.data_ptr() == x.data_ptr()
    return copied(result, target) if shared else placed(result, target)


def made(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new tensor: on the device that is named, on that of the first argument where there is one, else on the CPU."""
    source = args[0] if func in FACTORIES_OF_A_TENSOR and args else kwargs.get("data")
    target = isinstance(source, PretendedTensor)
    if kwargs.get("device") is not None:
        target, kwargs["device"] = on_cuda(kwargs["device"]), HOST
    check_generator(kwargs, target)
    result = func(*args, **kwargs)
    if isinstance(source, Tensor) and result.data_ptr() == source.data_ptr():  # as_tensor of a tensor
        return copied(source if result is source else result, target)
    return placed(result, target)


def item(func: Any, args: tuple[Any, ...]) -> Any:
    """`x[index]` and `x[index] = value`.

    CPU tensors may index those of the device. Without a tensor among the indices, a value is copied from either device. Numbers
    (tensors without dimensions) of either device are indices and values.
    """
    x, index, *value = args
    parts = [part for part in tree_leaves(index) if isinstance(part, Tensor) and part.dim()]
    others = [] if isinstance(x, PretendedTensor) else parts
    others = [*others, *(v for v in value if parts and isinstance(v, Tensor) and v.dim())]
    refuse_two_devices(func, [x, *others], [x])
    return placed(func(*args), isinstance(x, PretendedTensor))


def refuse_two_devices(func: Any, tensors: list[Tensor], written: list[Any]) -> None:
    """Raise what torch raises for tensors of two devices.

    A CPU tensor without dimensions is taken as a number, unless it is `written`.
    """
    here = [tensor for tensor in tensors if not isinstance(tensor, PretendedTensor)]
    if len(here) == len(tensors):
        return
    if func not in WITHOUT_SCALARS:
        here = [tensor for tensor in here if tensor.dim() > 0 or any(tensor is x for x in written)]
    if here:
        raise RuntimeError(
            f"{resolve_name(func) or func}: Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! (shapes {[tuple(tensor.shape) for tensor in here]} are on the CPU)"
        )


def check_generator(kwargs: dict[str, Any], target: bool) -> None:
    """Raise what torch raises for a generator of another device than the numbers that it draws."""
    generator = kwargs.get("generator")
    if generator is not None and (generator.device.type == "cuda") != target:
        expected = "cuda" if target else "cpu"
        raise RuntimeError(f"Expected a '{expected}' device type for generator but found '{generator.device.type}'")
