"""Products with Jacobians and their largest singular values, against dense Jacobians in float64.

Longer than other files: one product, on every kind of layer, and the norm that is iterated from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.geometry import jacobian
from advlab.geometry.jacobian import Jacobian, jvp, spectral_norm
from advlab.models.classifier import Classifier, frozen
from advlab.models.networks.ciresan import ScaledTanh

SHAPE = (2, 8, 8)


class Residual(nn.Module):
    """A block of batch norm, an addition in place and a ReLU in place, as foreign networks write them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.conv(x))
        out += x
        return torch.relu_(out)


class WritesItsInput(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sub_(0.5).mul_(2.0)


class Square(torch.autograd.Function):
    """No rule for forward mode."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Custom(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = Square.apply(x)
        return out


LAYERS: dict[str, Callable[[], list[nn.Module]]] = {
    "relu": lambda: [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2)],
    "leaky": lambda: [nn.Conv2d(2, 4, 3), nn.LeakyReLU(inplace=True), nn.Conv2d(4, 4, 3, groups=2)],
    "scaled-tanh": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), ScaledTanh()],
    "max-pool": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU()],
    "batch-norm": lambda: [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AvgPool2d(2)],
    "residual": lambda: [nn.Conv2d(2, 4, 3), Residual(), nn.AdaptiveAvgPool2d(2)],
    "writes": lambda: [WritesItsInput(), nn.Conv2d(2, 4, 3), nn.ReLU()],
    "custom": lambda: [nn.Conv2d(2, 4, 3), Custom()],
}


def network(kind: str, outputs: int = 7) -> Classifier:
    """A float64 classifier whose features are the `outputs` before its last layer."""
    torch.manual_seed(0)
    body = nn.Sequential(*LAYERS[kind](), nn.Flatten())
    with torch.no_grad():
        width = body.eval()(torch.rand(1, *SHAPE)).shape[1]
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 2)
    whole = nn.Sequential(body, nn.Linear(width, outputs), nn.Linear(outputs, 3))
    std = torch.tensor([0.5, 0.25])[:, None, None]
    return Classifier(whole.eval(), name=kind, shape=SHAPE, mean=0 * std, std=std).double()


def features(classifier: Classifier) -> Callable[[Tensor], Tensor]:
    return lambda x: classifier.features(x)[1]


def images(count: int = 3) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def dense(call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(n, R, D) by one backward pass a feature."""
    rows = [torch.autograd.functional.jacobian(lambda z: call(z.clone()[None])[0], image) for image in x]
    return torch.stack(rows).flatten(2)


@pytest.mark.parametrize("kind", LAYERS)
def test_products_and_singular_values_are_those_of_the_dense_jacobian(kind: str) -> None:
    classifier = network(kind)
    call, x = features(classifier), images()
    with frozen(classifier):
        matrix = dense(call, x)
        v = torch.randn(3, 5, *SHAPE, dtype=torch.float64)
        u = torch.randn(3, 7, dtype=torch.float64)
        assert torch.allclose(jvp(call, x, v, batch_size=2), v.flatten(2) @ matrix.mT, atol=1e-12)
        at = Jacobian(call, x)
        assert torch.allclose(at.jvp(v[:, 0]), (matrix @ v[:, 0].flatten(1)[..., None])[..., 0], atol=1e-12)
        assert torch.allclose(at.vjp(u).flatten(1), (u[:, None] @ matrix)[:, 0], atol=1e-12)
        assert torch.equal(at.value, call(x.clone()))
        norm = spectral_norm(call, x, tol=1e-8)
        rough = spectral_norm(call, x, tol=1e-2)
    exact = np.linalg.svd(matrix.numpy(), compute_uv=False)[:, 0]
    assert norm.converged.all()
    assert norm.value.numpy() == pytest.approx(exact, rel=1e-8)
    assert rough.value.numpy() == pytest.approx(exact, rel=1e-2)
    assert (rough.value.numpy() <= exact * (1 + 1e-12)).all()
    assert rough.iterations <= norm.iterations
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_forward_mode_serves_every_layer_that_has_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow way round would give the same numbers: it must not be what is tested above."""

    def refuse(*_: object) -> None:
        raise AssertionError("differentiated twice")

    monkeypatch.setattr(jacobian, "Jacobian", refuse)
    v = torch.randn(3, 2, *SHAPE, dtype=torch.float64)
    for kind in LAYERS:
        classifier = network(kind)
        with frozen(classifier):
            if kind == "custom":
                with pytest.raises(AssertionError, match="twice"):
                    jvp(features(classifier), images(), v)
            else:
                jvp(features(classifier), images(), v)


def linear(singular: list[float], *, dtype: torch.dtype = torch.float64) -> Callable[[Tensor], Tensor]:
    """x -> A x with given singular values (and zeros)."""
    generator = torch.Generator().manual_seed(3)
    left, _ = torch.linalg.qr(torch.randn(20, 20, generator=generator, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(128, 20, generator=generator, dtype=torch.float64))
    s = torch.zeros(20, dtype=torch.float64)
    s[: len(singular)] = torch.tensor(singular, dtype=torch.float64)
    matrix = ((left * s) @ right.T).to(dtype)
    return lambda x: x.flatten(1) @ matrix.T


@pytest.mark.parametrize(
    "singular",
    [
        [3.0, 3.0],
        [3.0, 3.0 - 1e-9, 2.9999],
        [3.0, 2.999, 2.998, 2.5, 2.4],
        [3.0],
        [3.0] * 20,
        [3e-9, 1e-9],
        [3e12, 1.0],
    ],
    ids=str,
)
def test_near_degenerate_and_deficient_maps(singular: list[float]) -> None:
    norm = spectral_norm(linear(singular), images(2), tol=1e-7)
    assert norm.converged.all()
    assert norm.value.numpy() == pytest.approx(singular[0], rel=1e-7)


def test_a_constant_has_the_norm_zero_and_too_few_iterations_are_said() -> None:
    zero = spectral_norm(lambda x: x.flatten(1) * 0 + 1, images())
    assert (zero.value == 0).all()
    assert zero.converged.all()
    spread = list(np.linspace(3, 1, 20))
    short = spectral_norm(linear(spread), images(), tol=1e-10, max_iter=3)
    assert not short.converged.any()
    assert short.iterations == 3
    assert (short.value < 3).all()
    assert (short.value > 2).all()


def test_the_residual_bounds_the_error_and_stops_the_iteration() -> None:
    spectrum = [3.0, *np.geomspace(1, 0.01, 19)]
    norm = spectral_norm(linear(spectrum), images(), tol=1e-2)
    assert norm.converged.all()
    assert norm.iterations < 8  # of the 20 that an exact answer takes
    assert (norm.residual <= 1e-2 * norm.value).all()
    assert ((3 - norm.value).abs() <= norm.residual).all()
    assert (norm.residual > 0).all()


def test_functions_that_write_to_their_input() -> None:
    def call(x: Tensor) -> Tensor:
        return x.mul_(2).flatten(1)[:, :5]

    x, v = images(), torch.randn(3, 2, *SHAPE, dtype=torch.float64)
    before = x.clone()
    assert torch.allclose(jvp(call, x, v), 2 * v.flatten(2)[..., :5])
    assert spectral_norm(call, x).value.tolist() == pytest.approx([2, 2, 2])
    assert torch.equal(x, before)


def test_an_image_without_numbers_spoils_no_other() -> None:
    x = images()
    x[1] = torch.nan
    call = features(network("relu"))
    norm, alone = spectral_norm(call, x), spectral_norm(call, images())
    assert norm.converged.tolist() == [True, False, True]
    assert torch.isnan(norm.value[1])
    assert norm.value[[0, 2]].tolist() == alone.value[[0, 2]].tolist()


def test_batches_do_not_matter_and_inference_mode_is_no_obstacle() -> None:
    classifier = network("max-pool")
    call, x = features(classifier), images(5)
    whole = spectral_norm(call, x, tol=0.2)  # some are done before others
    with torch.inference_mode():
        inside = x * 1
        parts = spectral_norm(call, inside, tol=0.2, batch_size=1)
        v = torch.randn(5, 3, *SHAPE, dtype=torch.float64)
        pushed = jvp(call, inside, v)
    assert torch.allclose(whole.value, parts.value, rtol=1e-12)
    assert torch.allclose(pushed, jvp(call, x, v.clone()), atol=1e-12)


def test_float32_agrees_with_float64() -> None:
    exact = spectral_norm(linear([3.0, 2.9, 1.0]), images(), tol=1e-4)
    single = spectral_norm(linear([3.0, 2.9, 1.0], dtype=torch.float32), images().float(), tol=1e-4)
    assert single.converged.all()
    assert single.value.numpy() == pytest.approx(exact.value.numpy(), rel=1e-5)


def test_bad_input_is_named() -> None:
    x = images()
    with pytest.raises(ValueError, match="directions must be"):
        jvp(linear([1.0]), x, torch.zeros(3, 2, 2, 8, 7))
    with pytest.raises(ValueError, match="no gradient"):
        Jacobian(lambda z: z.flatten(1).detach(), x)
    with pytest.raises(ValueError, match="must give"):
        Jacobian(lambda z: z.sum(), x)
    with pytest.raises(ValueError, match="tol"):
        spectral_norm(linear([1.0]), x, tol=0)
