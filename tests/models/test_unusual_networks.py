"""Unusual networks as classifiers: half precision, torch.jit, lazy layers, heads of all kinds, weights that torch passes over.

Longer than other files: one wrapper takes all of these kinds, and each is a network of a few lines.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advlab.attacks import FGS, PGD, DeepFool
from advlab.errors import ModelError
from advlab.models.classifier import frozen
from advlab.models.forward import Execution, Forward
from advlab.models.full_precision import float64_obstacle
from advlab.models.input_gradient import input_gradient
from advlab.models.plugin_model import PluginModel
from tests.helpers.classifiers import images, loaded, tiny, wrap

X = images((3, 8, 8), 6)


class Split(nn.Module):
    """`tiny` with a hidden layer of 12 in front of a head that can be another, called in one way or another."""

    def __init__(self, head: nn.Module | None = None, call: Callable[[Any, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 12), nn.Tanh())
        self.head, self.call = head or nn.Linear(12, 5), call

    def forward(self, x: Tensor) -> Tensor:
        z = self.body(x)
        logits: Tensor = self.head(z) if self.call is None else self.call(self, z)
        return logits


class Cosine(nn.Module):
    def __init__(self, features: int = 12) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, features, generator=torch.Generator().manual_seed(1)))

    def forward(self, z: Tensor) -> Tensor:
        return 10 * F.normalize(z) @ F.normalize(self.weight).T


# the classification layer


@pytest.mark.parametrize(
    ("network", "head"),
    [
        (lambda: Split(), "head"),
        (lambda: Split(call=lambda m, z: m.head(input=z)), "head"),
        (lambda: Split(Cosine()), "head"),
        (lambda: Split(Cosine(), call=lambda m, z: m.head(z=z)), "head"),
        (lambda: Split(nn.Sequential(Cosine(), nn.BatchNorm1d(5))), "head.0"),
        (lambda: nn.Sequential(Split(Cosine()), nn.Flatten()), "0.head"),
    ],
)
def test_the_features_enter_the_head(network: Callable[[], nn.Module], head: str) -> None:
    classifier = wrap(network())
    body = next(module.body for module in classifier.network.modules() if isinstance(module, Split))
    assert classifier.head == head
    assert torch.equal(classifier.features(X)[1], body(X))


def test_a_head_that_is_no_layer_is_asked_for() -> None:
    network = Split()
    network.weight = nn.Parameter(torch.randn(5, 12))
    network.call = lambda m, z: 10 * F.normalize(z) @ F.normalize(m.weight).T
    classifier = wrap(network)
    assert classifier.head == ""
    with pytest.raises(ModelError, match=r"name the layer whose output is its features by probe\.layer="):
        classifier.features(X)
    assert torch.equal(classifier.features(X, "body")[1], network.body(X))


def test_only_heads_of_their_own_kind_change_the_keys() -> None:
    assert wrap(Split()).head_key == {}
    assert wrap(Split(Cosine())).head_key == {"head": "head"}


# precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision(dtype: torch.dtype) -> None:
    plain = wrap(tiny())
    classifier = wrap(tiny().to(dtype))
    assert classifier.input_dtype == dtype
    logits, features = classifier.features(X)
    assert logits.dtype == torch.float32
    assert features.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    result = DeepFool()(classifier, X, logits.argmax(1))
    assert result.success.all()
    torch.testing.assert_close(result.adv, DeepFool()(plain, X, plain(X).argmax(1)).adv, rtol=0, atol=0.05)
    torch.testing.assert_close(logits.float(), plain(X), rtol=0.05, atol=0.05)
    double = classifier.double_copy()(X.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), plain(X), rtol=0.05, atol=0.05)


class Autocasts(Split):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x)


@pytest.mark.parametrize("attack", [FGS(), DeepFool(), DeepFool(exact=True), PGD(epsilon=0.3)])
@pytest.mark.parametrize("raw", [True, False])
def test_attacks_take_logits_of_half_precision(attack: Any, raw: bool) -> None:
    network = Autocasts().eval()
    labels = network(X).argmax(1)
    result = attack(network if raw else wrap(network), X, labels)
    plain = attack(wrap(Split()), X, wrap(Split())(X).argmax(1))
    assert result.margin.dtype == torch.float32
    assert abs(int(result.success.sum()) - int(plain.success.sum())) <= 1
    assert torch.equal(network(result.adv).float().argmax(1) != labels, result.success)


class Narrows(Split):
    def forward(self, x: Tensor) -> Tensor:
        z = self.body(x)
        narrow: Tensor = self.head(z.float().to(z.dtype))
        return narrow


def test_float64_is_not_believed_where_something_is_cast() -> None:
    def obstacle(network: nn.Module) -> str:
        return Forward(wrap(network), Execution(4, "contiguous", "float32")).double_obstacle

    assert obstacle(Split()) == obstacle(tiny()) == obstacle(Autocasts()) == ""
    assert "float32" in obstacle(Narrows())
    casts = Split(call=lambda m, z: m.head(z.float()))
    assert "dtype" in obstacle(casts) or "same" in obstacle(casts)
    assert float64_obstacle(tiny().eval(), X.double()) != ""  # its weights are float32


# torch.jit


def jitted() -> dict[str, nn.Module]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = tiny().eval()
        scripted = torch.jit.script(copy.deepcopy(network))
        return {"scripted": scripted, "traced": torch.jit.trace(network, X[:2]), "frozen": torch.jit.freeze(scripted)}


@pytest.mark.parametrize("kind", ["scripted", "traced", "frozen"])
def test_modules_of_torch_jit_are_attacked_and_told_apart(kind: str) -> None:
    network, plain = jitted()[kind], wrap(tiny())
    labels = plain(X).argmax(1)
    for attack in (FGS(), PGD(epsilon=0.2), DeepFool()):
        expected = attack(plain, X, labels)
        for model in (network, wrap(network)):
            result = attack(model, X, labels)
            assert torch.equal(result.success, expected.success)
            torch.testing.assert_close(result.adv, expected.adv, rtol=0, atol=1e-5)
    other = tiny()
    with torch.no_grad():
        other[5].bias.add_(1e-3)  # type: ignore[union-attr,operator]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = torch.jit.freeze(torch.jit.script(other.eval()))
    assert wrap(network).digest() == wrap(jitted()[kind]).digest() != wrap(changed).digest()
    with pytest.raises(ModelError, match=r"layers inside a module of torch.jit cannot be watched"):
        wrap(network).features(X)
    assert bool(Forward(wrap(network), Execution(4, "contiguous", "float32")).double_obstacle) == (kind == "frozen")


@pytest.mark.parametrize("place", ["whole", "layer", "in place"])
def test_torch_compile_is_taken_back(place: str) -> None:
    def build() -> Any:
        network: Any = Split()
        compiled = functools.partial(torch.compile, backend="eager")
        if place == "layer":
            network.body[3] = compiled(network.body[3])
        elif place == "in place":
            network.compile(backend="eager")
        return compiled(network) if place == "whole" else network

    classifier = loaded(PluginModel(build=build), shape=(3, 8, 8)).classifier
    assert [*classifier.network.state_dict()] == [*Split().state_dict()]
    classifier(X)  # a graph that was finished now would know no hooks
    assert torch.equal(classifier.features(X)[1], Split().eval().body(X))


# layers and weights that are not where they are expected


def test_lazy_layers_have_their_sizes_before_a_digest() -> None:
    torch.manual_seed(3)
    classifier = wrap(nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(5)))
    assert classifier.head == "3"
    digest = classifier.digest()
    classifier(X)
    assert classifier.digest() == digest
    assert all(parameter.numel() for parameter in classifier.parameters())
    with pytest.raises(ModelError, match="toy does not take images of 1x2x2"):
        wrap(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5)), (1, 2, 2))


class Plain(nn.Module):
    """Weights in an attribute, a list and a mapping; and what a forward pass leaves behind, which is none."""

    def __init__(self, value: float = 1.0, place: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = torch.randn(192, 5, requires_grad=True)
        self.listed: list[Any] = [torch.ones(5), nn.Linear(5, 5)]
        self.mapped = {"shift": torch.zeros(5)}
        self.last = torch.zeros(1)
        self.calls = [torch.zeros(1)]
        ones: Any = self.listed[0]
        weights: dict[str, Tensor] = {"matrix": self.matrix, "listed": ones, "mapped": self.mapped["shift"]}
        if place:
            weights[place].data[0] = value

    def forward(self, x: Tensor) -> Tensor:
        self.last = x.flatten(1) @ self.matrix
        self.calls[0].add_(1)
        ones, linear = self.listed
        out: Tensor = linear(self.last * ones + self.mapped["shift"])
        return out


def test_weights_that_are_no_parameters_are_part_of_the_digest() -> None:
    first = wrap(Plain()).digest()
    assert wrap(Plain()).digest() == first
    assert len({first, *(wrap(Plain(7.0, place)).digest() for place in ("matrix", "listed", "mapped"))}) == 4
    classifier = wrap(Plain())
    classifier(X)
    classifier(X[:3])
    assert classifier.digest() == first


def test_plain_tensors_follow_their_module() -> None:
    classifier = wrap(Plain())
    assert [name for name, _ in classifier.network.named_buffers()] == ["matrix"]
    assert classifier.double_copy().network.matrix.dtype == torch.float64
    assert not classifier.network.matrix.requires_grad


# checkpoints


class Recomputes(Split):
    def forward(self, x: Tensor) -> Tensor:
        from torch.utils.checkpoint import checkpoint

        out: Tensor = self.head(checkpoint(self.body, x, use_reentrant=True))
        return out


def test_reentrant_checkpoints_change_no_gradient() -> None:
    network, plain = Recomputes().eval(), Split().eval()
    labels = plain(X).argmax(1)
    for attack in (FGS(), PGD(epsilon=0.2), DeepFool()):
        assert torch.equal(attack(network, X, labels).adv, attack(plain, X, labels).adv)
    assert all(parameter.grad is None for parameter in network.parameters())
    with frozen(network), frozen(plain):
        gradients = []
        for model in (network, plain):
            x = X.clone().requires_grad_()
            outputs = model(x)
            cotangent = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
            gradients += [
                input_gradient(outputs, x, cotangent, retain_graph=True),
                input_gradient(outputs, x, cotangent),
            ]
            assert x.grad is None
    assert all(torch.equal(gradient, gradients[2]) for gradient in gradients)
