"""Lipschitz constants (L2 to L2) of the single operations that networks consist of."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.geometry.singular import largest_singular_value

TOLERANCE = 1e-6  # relative residual at which measuring a norm ends; the residual is added, so that the sum is a bound
MAX_ITER = 2000  # of measuring a norm

# Affine in their one input: their norm is measured at the size of that input, with strides, padding and groups.
AFFINE_MODULES: frozenset[type[nn.Module]] = frozenset(
    {
        nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
        nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
        nn.Identity, nn.Flatten, nn.Unflatten, nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d,
        nn.CircularPad2d, nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d, nn.PixelShuffle,
        nn.PixelUnshuffle, nn.ChannelShuffle,
    }
)  # fmt: skip
AFFINE_FUNCTIONS: frozenset[Any] = frozenset(  # affine in the first argument
    {
        operator.neg, operator.pos, operator.getitem, operator.truediv, torch.neg, torch.div, torch.true_divide,
        torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.squeeze, torch.unsqueeze, torch.mean,
        torch.sum, torch.narrow, torch.select, torch.conv1d, torch.conv2d, torch.conv3d, F.linear, F.conv1d, F.conv2d,
        F.conv3d, F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.pad, F.interpolate,
        F.pixel_shuffle, F.pixel_unshuffle, F.unfold,
        "neg", "div", "view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze",
        "expand", "expand_as", "repeat", "mean", "sum", "contiguous", "clone", "float", "double", "narrow", "select", "t",
    }
)  # fmt: skip
BILINEAR: frozenset[Any] = frozenset(  # affine in either argument, where the other is constant
    {operator.add, operator.sub, operator.mul, operator.matmul, torch.add, torch.sub, torch.mul, torch.matmul,
     "add", "sub", "mul", "matmul"}
)  # fmt: skip

# The largest slope of activations that work element by element, from their module or from the arguments of their function.
SLOPE_MODULES: dict[type[nn.Module], Callable[[Any], float]] = {
    nn.LeakyReLU: lambda m: max(1.0, abs(m.negative_slope)),
    nn.PReLU: lambda m: max(1.0, float(m.weight.detach().abs().max())),
    nn.ELU: lambda m: max(1.0, abs(m.alpha)),
    nn.SELU: lambda _: 1.7581,
    nn.Sigmoid: lambda _: 0.25,
    nn.Hardsigmoid: lambda _: 1 / 6,
    nn.Hardswish: lambda _: 1.5,
    nn.SiLU: lambda _: 1.09985,
    nn.GELU: lambda _: 1.1291,
    nn.Mish: lambda _: 1.0885,
} | dict.fromkeys(
    (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Tanh, nn.Softsign, nn.LogSigmoid, nn.Softplus, nn.Softshrink, nn.Tanhshrink),
    lambda _: 1.0,
)
SLOPE_FUNCTIONS: dict[Any, Callable[..., float]] = {
    F.leaky_relu: lambda _, negative_slope=0.01, inplace=False: max(1.0, abs(negative_slope)),
    F.elu: lambda _, alpha=1.0, inplace=False: max(1.0, abs(alpha)),
    F.selu: lambda *_, **__: 1.7581,
    F.hardswish: lambda *_, **__: 1.5,
    F.silu: lambda *_, **__: 1.09985,
    F.gelu: lambda *_, **__: 1.1291,
    F.mish: lambda *_, **__: 1.0885,
    F.hardsigmoid: lambda *_, **__: 1 / 6,
} | {
    **dict.fromkeys((torch.sigmoid, F.sigmoid, "sigmoid"), lambda *_, **__: 0.25),
    **dict.fromkeys(
        (
            torch.relu, torch.relu_, F.relu_, torch.tanh, torch.clamp, torch.abs, torch.sin, torch.cos, torch.atan,
            F.relu, F.relu6, F.tanh, F.hardtanh, F.softsign,
            F.logsigmoid, F.softplus, "relu", "tanh", "clamp", "clamp_min", "clamp_max", "abs",
        ),
        lambda *_, **__: 1.0,
    ),
}  # fmt: skip
MAX_POOLS = {nn.MaxPool1d: F.max_pool1d, nn.MaxPool2d: F.max_pool2d, nn.MaxPool3d: F.max_pool3d}
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def module_constant(module: nn.Module, kind: type[nn.Module], x: Tensor) -> float | None:
    """Lipschitz constant of a torch.nn module in evaluation mode on inputs of the shape of `x`; None where none is known.

    Args:
        module: the module; an affine one is converted to float64 in place.
        kind: its exact type, because a subclass may compute anything.
        x: its input, of which only the shape and the device count.

    Examples:
        >>> module_constant(nn.ReLU(), nn.ReLU, torch.zeros(1, 4)), module_constant(nn.Softmax(), nn.Softmax, torch.zeros(1, 4))
        (1.0, None)
        >>> half = nn.Linear(3, 3)
        >>> half.weight.data = torch.eye(3) / 2
        >>> round(module_constant(half, nn.Linear, torch.zeros(1, 3)), 4)
        0.5
    """
    if kind in AFFINE_MODULES:
        return affine_norm(module.to(torch.float64), x)
    if kind in SLOPE_MODULES:
        return SLOPE_MODULES[kind](module)
    if kind in DROPOUTS and not module.training:
        return 1.0
    if isinstance(module, NORMALISATIONS) and kind in NORMALISATIONS and not module.training:
        if module.running_var is None:  # it normalises by the statistics of each batch
            return None
        scale = (module.running_var.double() + module.eps).rsqrt()
        return float((scale if module.weight is None else module.weight.double().abs() * scale).max())
    if isinstance(module, nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d) and kind in MAX_POOLS:
        if module.return_indices:
            return None
        return max_pool_constant(x.ndim - 2, module.kernel_size, module.stride, module.dilation)
    return None


def function_constant(function: Any, args: Any, kwargs: Any, x: Tensor) -> float | None:
    """Lipschitz constant of a function that is not affine; None where none is known.

    Args:
        function: as torch.fx records it: a function, or the name of a tensor's method.
        args: the arguments of the call; only the first depends on the network's input.
        kwargs: the keyword arguments of the call.
        x: the first argument.

    Examples:
        >>> x = torch.zeros(1, 4)
        >>> function_constant(F.leaky_relu, (x, -3.0), {}, x), function_constant("sigmoid", (x,), {}, x)
        (3.0, 0.25)
    """
    if function in SLOPE_FUNCTIONS:
        return SLOPE_FUNCTIONS[function](*args, **kwargs)
    if function is F.dropout:
        return None if kwargs.get("training", args[2] if len(args) > 2 else True) else 1.0
    if function in MAX_POOLS.values() and not kwargs.get("return_indices"):
        names = ("kernel_size", "stride", "padding", "dilation")
        options = dict(zip(names, args[1:], strict=False)) | {k: v for k, v in kwargs.items() if k in names}
        options.pop("padding", None)
        return max_pool_constant(x.ndim - 2, **options)
    return None


def max_pool_constant(dimensions: int, kernel_size: Any, stride: Any = None, dilation: Any = 1) -> float:
    """sqrt of the largest number of windows that share an input: 1 where windows do not overlap.

    The maximum of a window changes by at most the norm of the changes of its inputs, and an input that lies in c windows
    counts c times in the sum of squares.

    Examples:
        Windows of 3 x 3 at a stride of 2 overlap by one pixel in each direction, so that a pixel lies in up to 4 of them.

        >>> max_pool_constant(2, kernel_size=2), max_pool_constant(2, kernel_size=3, stride=2)
        (1.0, 2.0)
    """
    count = 1
    stride = stride or kernel_size
    for axis in range(dimensions):
        size, step, spacing = (v if isinstance(v, int) else v[axis] for v in (kernel_size, stride, dilation))
        count *= math.ceil(size / (step // math.gcd(step, spacing)))
    return math.sqrt(count)


def affine_norm(function: Callable[[Tensor], Tensor], x: Tensor) -> float | None:
    """Upper bound, to a relative 2e-6, of the operator norm of the linear part of an affine function.

    Args:
        function: of a float64 tensor.
        x: a tensor of the shape and on the device of that argument.

    Returns:
        The norm measured by Lanczos bidiagonalisation plus its residual; None where the iteration did not converge, or the
        function turns out not to be affine.

    Examples:
        >>> x = torch.zeros(1, 3)
        >>> round(affine_norm(lambda x: 4 - 2 * x, x), 4), affine_norm(torch.square, x)
        (2.0, None)
    """
    with torch.enable_grad():
        zero = torch.zeros(x.shape, dtype=torch.float64, device=x.device, requires_grad=True)
        offset = function(zero.clone())
        if not offset.requires_grad:
            return 0.0

    def matvec(v: Tensor) -> Tensor:
        with torch.no_grad():
            return (function(v.reshape(x.shape).clone()) - offset).reshape(1, -1)

    def rmatvec(u: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(offset, zero, u.reshape(offset.shape).to(offset.dtype), retain_graph=True)
        return product.reshape(1, -1)

    start = torch.randn(1, x.numel(), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(x.device)
    if not torch.allclose(matvec(-2 * start), -2 * matvec(start), rtol=1e-6, atol=1e-9):
        return None
    norm = largest_singular_value(matvec, rmatvec, start, tol=TOLERANCE, max_iter=MAX_ITER)
    return float((norm.value + norm.residual)[0]) if bool(norm.converged[0]) else None
