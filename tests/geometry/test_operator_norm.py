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
from advlab.geometry.operations import SLOPE_FUNCTIONS, SLOPE_MODULES, max_pool_constant, module_constant
from advlab.geometry.operator_norm import LipschitzBound, lipschitz_bound
from advlab.models.classifier import Classifier, frozen
from advlab.models.networks.ciresan import ScaledTanh

SHAPE = (2, 9, 9)


class Net(nn.Module):
    """`body` before a linear classification layer."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.eval()
        with torch.no_grad():
            width = self.body(torch.rand(2, *SHAPE)).flatten(1).shape[1]
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x).flatten(1))
        return out


class Through(nn.Module):
    """A function of the output of a convolution, written as foreign networks write it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


class Residual(nn.Module):
    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.conv(x))
        out += x
        return self.relu(out)


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.relu(self.one(x)), self.three(x).relu_(), self.pool(x)], dim=1)


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))


class Own(nn.Conv2d):
    """A convolution that is none."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.mean()


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


def classify(body: nn.Module, std: float = 0.5, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.2, 2)
            nn.init.normal_(module.weight)
    spread = torch.full((2, 1, 1), std)
    return Classifier(Net(body).eval(), name="toy", shape=SHAPE, mean=spread, std=spread)


def bound(body: nn.Module, **more: Any) -> LipschitzBound:
    return lipschitz_bound(classify(body, **more))


def dense(body: nn.Module) -> Tensor:
    """(R, D) matrix of an affine network."""
    body = body.double().eval()
    eye = torch.eye(math.prod(SHAPE), dtype=torch.float64).view(-1, *SHAPE)
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
    lipschitz = bound(body, std=0.5)
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
    "residual": lambda: nn.Sequential(Residual(False), Residual(True), nn.AdaptiveAvgPool2d(3)),
    "inception": lambda: nn.Sequential(Inception(), nn.Conv2d(8, 3, 3)),
    "norm": lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.GELU()),
    "functions": lambda: Through(lambda y: F.leaky_relu(F.max_pool2d(2 * y - 1, 3, stride=1), 0.2) / 3 + y[:, :, 1:-1, 1:-1]),
    "repeated": lambda: Through(lambda y: y + y.mean((2, 3), keepdim=True)),
    "pieces": lambda: Through(pieces),
    "in-place": lambda: Through(lambda y: y.view(y.shape[0], -1).add_(0.5).mul_(3.0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_the_bound_exceeds_every_local_constant(kind: str) -> None:
    torch.manual_seed(2)
    classifier = classify(BODIES[kind]())
    lipschitz = lipschitz_bound(classifier)
    assert lipschitz.reason == ""
    x = (
        torch.randn(40, *SHAPE, generator=torch.Generator().manual_seed(0))
        * torch.linspace(0.01, 5, 40)[:, None, None, None]
    )
    with frozen(classifier):
        local = spectral_norm(lambda z: classifier.features(z)[1], x, tol=1e-4).value
    assert local.max() <= lipschitz.bound * (1 + 1e-6)
    assert local.max() >= lipschitz.bound / 20  # it is no bound for the sake of it


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 2, 1)
        with torch.no_grad():
            self.one.weight.copy_(2 * torch.eye(2)[..., None, None])
            self.two.weight.copy_(3 * torch.eye(2)[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.two(x)


class Join(Sum):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.two(x)], 1)


class Difference(Sum):
    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) - self.two(x)


class Twice(Sum):
    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return y + y


class LaterChange(Sum):
    """What was read from `y` before it was multiplied is multiplied with it."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        z = y
        y.mul_(5)
        return z


class ThroughAView(Sum):
    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        y.view(-1).mul_(5)
        return y


class Feature(Sum):
    """The features are those before the change in place that follows them."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return self.two(y.mul_(5))


@pytest.mark.parametrize(
    ("module", "expected"),
    [(Sum(), 5.0), (Difference(), 5.0), (Join(), math.sqrt(13)), (Twice(), 4.0), (LaterChange(), 10.0)],
    ids=lambda value: type(value).__name__,
)
def test_branches_by_hand(module: nn.Module, expected: float) -> None:
    assert bound(module, std=1).bound == pytest.approx(expected / 1, rel=1e-5)


def test_a_change_through_a_view_counts() -> None:
    assert 10 <= bound(ThroughAView(), std=1).bound <= math.hypot(10, 2) * (1 + 1e-6)


def test_a_named_layer_is_taken_as_it_left_its_module() -> None:
    classifier = classify(Feature(), std=1)
    assert lipschitz_bound(classifier, "body.one").bound == pytest.approx(2, rel=1e-6)
    assert lipschitz_bound(classifier, "body").bound == pytest.approx(30, rel=1e-6)
    assert lipschitz_bound(classifier).bound == pytest.approx(30, rel=1e-6)
    missing = lipschitz_bound(classifier, "nowhere")
    assert math.isnan(missing.bound)
    assert "nowhere" in missing.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: Attend(), "mul in body"),
        (lambda: Through(lambda y: y * y), "mul in body"),
        (lambda: Through(lambda y: y @ y.transpose(2, 3)), "matmul in body"),
        (lambda: Through(lambda y: 1 / (1 + y.abs())), "truediv in body"),
        (lambda: Through(lambda y: F.dropout(y)), "dropout in body"),
        (lambda: Through(lambda y: torch.exp(y)), "exp in body"),
        (lambda: Through(lambda y: y.square_()), "square_ in body"),
        (lambda: Own(2, 2, 1), "mul in body"),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.LocalResponseNorm(2)), "body.1 (LocalResponseNorm)"),
        (lambda: nn.BatchNorm2d(2, track_running_stats=False), "body (BatchNorm2d)"),
        (lambda: Branches(), "torch.fx cannot follow toy"),
    ],
)  # fmt: skip
def test_what_has_no_known_bound_is_named(body: Callable[[], nn.Module], reason: str) -> None:
    lipschitz = bound(body())
    assert math.isnan(lipschitz.bound)
    assert reason in lipschitz.reason


def test_hooks_are_not_trusted() -> None:
    module = nn.Conv2d(2, 2, 1)
    module.register_forward_hook(lambda _, __, out: out * 100)
    assert "body (Conv2d)" in bound(module).reason


def test_overlapping_maxima_reach_their_constant() -> None:
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    assert float(nn.MaxPool2d(3, 2)(x).norm()) == max_pool_constant(2, 3, 2) == 2
    assert float(nn.MaxPool2d(3, 1)(x).norm()) == max_pool_constant(2, 3, 1) == 3
    assert float(nn.MaxPool2d(3, 2, dilation=2)(x).norm()) == max_pool_constant(2, 3, 2, 2) == 3
    assert float(nn.MaxPool2d((4, 2), (2, 2))(x).sum()) == 2
    assert max_pool_constant(2, (4, 2), (2, 2)) == math.sqrt(2)
    assert max_pool_constant(2, 2) == 1


@pytest.mark.parametrize("kind", list(SLOPE_MODULES), ids=lambda kind: kind.__name__)
def test_slopes_are_the_largest_derivatives(kind: type[nn.Module]) -> None:
    module = kind().double()
    x = torch.linspace(-12, 12, 200001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    assert float(slope.abs().max()) == pytest.approx(SLOPE_MODULES[kind](module), rel=2e-4)
    assert float(slope.abs().max()) <= SLOPE_MODULES[kind](module) * (1 + 1e-7)


@pytest.mark.parametrize("function", [f for f in SLOPE_FUNCTIONS if callable(f)], ids=lambda f: f.__name__)
def test_slopes_of_functions_are_the_largest_derivatives(function: Callable[..., Tensor]) -> None:
    more = {torch.clamp: {"min": -1}}.get(function, {})
    x = torch.linspace(-12, 12, 200001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(x.clone(), **more).sum(), x)
    assert float(slope.abs().max()) == pytest.approx(SLOPE_FUNCTIONS[function](x, **more), rel=2e-4)
    assert float(slope.abs().max()) <= SLOPE_FUNCTIONS[function](x, **more) * (1 + 1e-7)


def test_parameters_and_modes_are_left_alone() -> None:
    classifier = classify(BODIES["norm"]())
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
    classifier = Classifier(Net(body).eval(), name="net", shape=SHAPE, mean=None, std=None)
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
