"""Global Lipschitz bounds against dense matrices, hand-made graphs, and the local constants that they must exceed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.geometry import operator_norm
from advlab.geometry.jacobian import spectral_norm
from advlab.geometry.operations import module_constant
from advlab.geometry.operator_norm import lipschitz_bound
from advlab.models.classifier import Classifier, frozen
from advlab.models.networks.ciresan import ScaledTanh
from tests.helpers.bounded_networks import (
    BOUNDED_SHAPE,
    Attention,
    DataDependent,
    InceptionBlock,
    OwnConvolution,
    ResidualBlock,
    Through,
    WithHead,
    bound_of,
    bounded_classifier,
)


def dense(body: nn.Module) -> Tensor:
    """(R, D) matrix of an affine network."""
    body = body.double().eval()
    eye = torch.eye(math.prod(BOUNDED_SHAPE), dtype=torch.float64).view(-1, *BOUNDED_SHAPE)
    with torch.no_grad():
        return (body(eye) - body(torch.zeros_like(eye))).flatten(1).T


AFFINE: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(2, 4, 3),
    "strided": lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1),
    "grouped": lambda: nn.Conv2d(2, 4, (2, 3), groups=2, dilation=2),
    "circular": lambda: nn.Conv2d(2, 4, 5, padding=2, padding_mode="circular"),
    "transposed": lambda: nn.ConvTranspose2d(2, 3, 3, stride=2),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(162, 30)),
    "average": lambda: nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(4),
    "upsampled": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "batch-norm": lambda: nn.BatchNorm2d(2),
    "weight-norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 3)),
}


@pytest.mark.parametrize("kind", AFFINE)
def test_one_layer_gives_its_exact_norm(kind: str) -> None:
    torch.manual_seed(1)
    body = AFFINE[kind]()
    lipschitz = bound_of(body, std=0.5)
    exact = float(torch.linalg.matrix_norm(dense(body), 2)) / 0.5
    assert exact * (1 - 1e-9) <= lipschitz.bound <= exact * (1 + 2e-6)
    assert lipschitz.reason == ""
    assert lipschitz.norms["normalisation"] == 2


def pieces(y: Tensor) -> Tensor:
    a, b = y.chunk(2, 1)
    return torch.cat([b - 1, y[:, :1], torch.stack([a, 0.5 * a], 2).flatten(1, 2)], 1).view(y.size(0), -1)


BODIES: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 2)),
    "tanh": lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2, ceil_mode=True), ScaledTanh(), nn.Dropout(0.5)),
    "leaky": lambda: nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.LeakyReLU(1.5), nn.AvgPool2d(3, 1)),
    "residual": lambda: nn.Sequential(ResidualBlock(False), ResidualBlock(True), nn.AdaptiveAvgPool2d(3)),
    "inception": lambda: nn.Sequential(InceptionBlock(), nn.Conv2d(8, 3, 3)),
    "norm": lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.GELU()),
    "functions": lambda: Through(lambda y: F.leaky_relu(F.max_pool2d(2 * y - 1, 3, stride=1), 0.2) / 3 + y[:, :, 1:-1, 1:-1]),
    "repeated": lambda: Through(lambda y: y + y.mean((2, 3), keepdim=True)),
    "pieces": lambda: Through(pieces),
    "in-place": lambda: Through(lambda y: y.view(y.shape[0], -1).add_(0.5).mul_(3.0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_the_bound_exceeds_every_local_constant(kind: str) -> None:
    torch.manual_seed(2)
    classifier = bounded_classifier(BODIES[kind]())
    lipschitz = lipschitz_bound(classifier)
    assert lipschitz.reason == ""
    x = (
        torch.randn(40, *BOUNDED_SHAPE, generator=torch.Generator().manual_seed(0))
        * torch.linspace(0.01, 5, 40)[:, None, None, None]
    )
    with frozen(classifier):
        local = spectral_norm(lambda z: classifier.features(z)[1], x, tol=1e-4).value
    assert local.max() <= lipschitz.bound * (1 + 1e-6)
    assert local.max() >= lipschitz.bound / 20  # it is no bound for the sake of it


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: Attention(), "mul in body"),
        (lambda: Through(lambda y: y * y), "mul in body"),
        (lambda: Through(lambda y: y @ y.transpose(2, 3)), "matmul in body"),
        (lambda: Through(lambda y: 1 / (1 + y.abs())), "truediv in body"),
        (lambda: Through(lambda y: F.dropout(y)), "dropout in body"),
        (lambda: Through(lambda y: torch.exp(y)), "exp in body"),
        (lambda: Through(lambda y: y.square_()), "square_ in body"),
        (lambda: OwnConvolution(2, 2, 1), "mul in body"),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.LocalResponseNorm(2)), "body.1 (LocalResponseNorm)"),
        (lambda: nn.BatchNorm2d(2, track_running_stats=False), "body (BatchNorm2d)"),
        (lambda: DataDependent(), "torch.fx cannot follow toy"),
    ],
)  # fmt: skip
def test_what_has_no_known_bound_is_named(body: Callable[[], nn.Module], reason: str) -> None:
    lipschitz = bound_of(body())
    assert math.isnan(lipschitz.bound)
    assert reason in lipschitz.reason


def test_hooks_are_not_trusted() -> None:
    module = nn.Conv2d(2, 2, 1)
    module.register_forward_hook(lambda _, __, out: out * 100)
    assert "body (Conv2d)" in bound_of(module).reason


def test_parameters_and_modes_are_left_alone() -> None:
    classifier = bounded_classifier(BODIES["norm"]())
    classifier.train()
    before = classifier.digest()
    with torch.inference_mode():
        inside = lipschitz_bound(classifier)
    assert classifier.digest() == before
    assert classifier.training
    assert all(p.grad is None and p.requires_grad for p in classifier.parameters())
    assert inside.bound == lipschitz_bound(classifier).bound


def test_known_constants_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU())
    classifier = Classifier(WithHead(body).eval(), name="net", shape=BOUNDED_SHAPE, mean=None, std=None)
    layers = ["body.0", "body.1", "body.2", "auto"]
    alone = [lipschitz_bound(classifier, layer) for layer in layers]
    seen: list[str] = []
    real = module_constant

    def spy(module: nn.Module, kind: Any, value: Tensor) -> Any:
        seen.append(kind.__name__)
        return real(module, kind, value)

    monkeypatch.setattr(operator_norm, "module_constant", spy)
    known: operator_norm.Known = {}
    together = [lipschitz_bound(classifier, layer, known=known) for layer in layers]
    assert together == alone
    assert sorted(seen) == ["Conv2d", "Conv2d", "ReLU", "ReLU"]
    assert known["body.2", (1, 4, 7, 7)] == alone[-1].norms["body.2"]
