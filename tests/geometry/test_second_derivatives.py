"""Networks that torch's usual kernels cannot differentiate twice: attention is written out, others are told in one line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.nn import functional as F

from advlab.errors import ArgumentError
from advlab.geometry.hessian import HessianSpread, hessian_spread, random_signs
from advlab.geometry.jacobian import jvp, spectral_norm

X = torch.rand((2, 1, 4, 4), generator=torch.Generator().manual_seed(0))


class Attends(nn.Module):
    """Attention of two heads over the rows of an image: torch's, written out, or by nn.MultiheadAttention."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.out, self.kind = nn.Linear(4, 12, bias=False), nn.Linear(4, 4, bias=False), kind
        self.module = nn.MultiheadAttention(4, 2, bias=False, batch_first=True)
        with torch.no_grad():
            self.module.in_proj_weight.copy_(self.qkv.weight)
            self.module.out_proj.weight.copy_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        rows = 3 * x[:, 0]
        if self.kind == "module":
            attended: Tensor = self.module(rows, rows, rows, need_weights=False)[0]
            return attended.flatten(1)
        q, k, v = (part.unflatten(-1, (2, 2)).transpose(1, 2) for part in self.qkv(rows).chunk(3, -1))
        if self.kind == "torch":
            heads = F.scaled_dot_product_attention(q, k, v)
        else:
            heads = torch.softmax(q @ k.mT / math.sqrt(2), -1) @ v
        out: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return out.flatten(1)


@pytest.mark.parametrize("kind", ["torch", "module"])
def test_attention_equals_attention_written_out(kind: str) -> None:
    network, plain = Attends(kind).eval().requires_grad_(False), Attends("plain").eval().requires_grad_(False)
    torch.testing.assert_close(network(X), plain(X))
    norms = [spectral_norm(model, X, tol=1e-5).value for model in (network, plain)]
    torch.testing.assert_close(*norms, rtol=1e-5, atol=0)
    directions = torch.randn((2, 3, 1, 4, 4), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(jvp(network, X, directions), jvp(plain, X, directions), rtol=1e-4, atol=1e-5)

    def spread(model: nn.Module) -> HessianSpread:
        return hessian_spread(lambda x: model(x)[:, 0], X, random_signs(4, 16))

    spreads = [spread(network), spread(plain)]
    torch.testing.assert_close(spreads[0].norm, spreads[1].norm, rtol=1e-4, atol=1e-6)
    assert (spreads[0].norm > 0).all()


class Once(torch.autograd.Function):
    """The square, whose gradient has no derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator,unused-ignore]
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient


def square(x: Tensor) -> Tensor:
    out: Tensor = Once.apply(x).flatten(1)  # type: ignore[no-untyped-call,unused-ignore]
    return out


def recomputed(x: Tensor) -> Tensor:
    from torch.utils.checkpoint import checkpoint

    out: Tensor = checkpoint(lambda images: images.square().flatten(1), x, use_reentrant=True)
    return out


@pytest.mark.parametrize("network", [square, recomputed])
def test_what_has_no_second_derivative_is_said(network: Any) -> None:
    with pytest.raises(ArgumentError, match=r"the network cannot be differentiated twice \(.*\)$"):
        spectral_norm(network, X)
    with pytest.raises(ArgumentError, match=r"differences of gradients instead \(experiment.step=0.001\)"):
        hessian_spread(lambda x: network(x).sum(1), X, random_signs(4, 16))
    spread = hessian_spread(lambda x: network(x).sum(1), X.double(), random_signs(4, 16), step=0.001)
    torch.testing.assert_close(spread.trace, torch.full((2,), 32.0, dtype=torch.float64), rtol=1e-6, atol=0)


def test_what_has_no_gradient_at_all_is_said_so() -> None:
    def detached(x: Tensor) -> Tensor:
        return x.detach().square().flatten(1)

    with pytest.raises(ArgumentError, match="no gradient with respect to the images"):
        spectral_norm(detached, X)
    for step in (0.0, 0.001):
        with pytest.raises(ArgumentError, match="no gradient with respect to the images"):
            hessian_spread(lambda x: detached(x).sum(1), X, random_signs(4, 16), step=step)


class Recomputed(nn.Module):
    """A network that is computed again on the way back."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.utils.checkpoint.checkpoint(self.network, x, use_reentrant=False)
        return out


def test_attention_that_is_computed_again_has_the_same_jacobian() -> None:
    plain = Attends("plain").eval().requires_grad_(False)
    recomputed = Recomputed(Attends("torch")).eval().requires_grad_(False)
    norms = [spectral_norm(model, X, tol=1e-5).value for model in (recomputed, plain)]
    torch.testing.assert_close(*norms, rtol=1e-5, atol=0)


def test_a_defect_of_the_network_keeps_its_own_error() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        spectral_norm(lambda x: x.flatten(1) @ torch.ones(3, 3), X)
