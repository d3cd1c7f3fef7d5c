"""The wrapper: normalisation inside, digests, restored modes, and networks that do not fit.

Longer than other files: one wrapper, and every kind of foreign network that it takes or refuses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.models.classifier import Classifier, frozen
from tests.helpers.classifiers import images, tiny, wrap

# normalisation


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)),
        (torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.25)),
        (torch.rand(3, 8, 8), torch.full((1, 1, 1), 1 / 255)),
        (None, torch.full((3, 1, 1), 1 / 256)),
        (torch.full((3, 1, 1), 0.3), None),
        (torch.rand(3, 8, 8), torch.rand(3, 8, 8) + 0.1),
    ],
)
def test_normalisation_is_inside(mean: Tensor | None, std: Tensor | None) -> None:
    network = tiny().eval()
    x = images((3, 8, 8))
    classifier = wrap(copy.deepcopy(network), mean=mean, std=std)
    m = torch.zeros(1) if mean is None else mean
    s = torch.ones(1) if std is None else std
    wanted = copy.deepcopy(network).double()((x.double() - m.double()) / s.double())
    torch.testing.assert_close(classifier.double_copy()(x.double()), wanted, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(classifier(x).double(), wanted, rtol=1e-4, atol=2e-4)
    assert not torch.allclose(network.double()(x.double()), wanted)


def test_without_normalisation_images_arrive_as_they_are() -> None:
    network = tiny().eval()
    x = images((3, 8, 8))
    assert torch.equal(wrap(network)(x), network(x))


@pytest.mark.parametrize("values", [[0.5, 0.5], [0.5] * 8])
@pytest.mark.parametrize("which", ["mean", "std"])
def test_a_wrong_number_of_constants_is_named(which: str, values: list[float]) -> None:
    with pytest.raises(ModelError, match=rf"the {which} of toy's input normalisation .* one for each of 3 channels"):
        wrap(tiny(), (3, 8, 8), **{which: torch.tensor(values).view(-1, 1, 1)})


# features


# digests


def test_the_digest_is_of_weights_layers_and_normalisation() -> None:
    def digest(change: Callable[[nn.Sequential], object] = lambda _: None, **keys: Any) -> str:
        network = tiny()
        with torch.no_grad():
            change(network)
        return wrap(network, **keys).digest()

    first = digest()
    assert digest() == first
    assert wrap(tiny().to(memory_format=torch.channels_last)).digest() == first  # type: ignore[call-overload]
    changes: list[Callable[[Any], object]] = [
        lambda n: n[0].weight.view(-1)[7].add_(1e-6), lambda n: n[5].bias[0].sub_(1e-6), lambda n: n[1].running_mean[2].add_(1e-6),
        lambda n: n.__setitem__(2, nn.Tanh()), lambda n: n[0].weight.copy_(n[0].weight.roll(1)),
    ]  # fmt: skip
    digests = [digest(change) for change in changes]
    digests += [digest(mean=torch.full((1, 1, 1), 0.5)), digest(std=torch.full((1, 1, 1), 0.5))]
    assert len({first, *digests}) == len(digests) + 1
    classifier = wrap(tiny())
    classifier(images((3, 8, 8)))
    assert classifier.digest() == first


def test_half_precision_weights_have_a_digest() -> None:
    assert wrap(tiny()).bfloat16().digest() != wrap(tiny()).digest()


# frozen


def test_modes_and_gradients_are_restored() -> None:
    classifier = wrap(tiny())
    network: Any = classifier.network
    classifier.train()
    network[1].eval()
    network[3].eval()
    network[0].bias.requires_grad_(False)
    modes = [module.training for module in classifier.modules()]
    assert set(modes) == {True, False}
    running = network[1].running_mean.clone()
    with frozen(classifier):
        assert not any(module.training for module in classifier.modules())
        assert not any(parameter.requires_grad for parameter in classifier.parameters())
        x = images((3, 8, 8)).requires_grad_()
        classifier(x).sum().backward()
        assert x.grad is not None
    with pytest.raises(KeyError), frozen(classifier):
        raise KeyError
    assert [module.training for module in classifier.modules()] == modes
    assert torch.equal(network[1].running_mean, running)
    wanted = [name != "network.0.bias" for name, _ in classifier.named_parameters()]
    assert [parameter.requires_grad for parameter in classifier.parameters()] == wanted
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_wrapping_leaves_the_network_as_it_was() -> None:
    network = tiny().train()
    network[1].eval()
    before = copy.deepcopy(network.state_dict())
    Classifier(network, name="toy", shape=(3, 8, 8), mean=None, std=None)
    assert [module.training for module in network] == [True, False, True, True, True, True]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_wrapping_does_not_draw_from_the_global_generator() -> None:
    network = tiny()
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    wrap(network)
    assert torch.equal(torch.rand(2), wanted)


# networks that a user brings


class Strange(nn.Module):
    """Parameters of its own, tied weights, and something that it keeps from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.weird_name = nn.Parameter(torch.rand(12))
        self.first, self.second, self.head = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 4)
        self.second.weight = self.first.weight
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = torch.arange(12.0)
        out: Tensor = self.head(self.second(self.first(x.flatten(1) * self.weird_name * self.kept)))
        return out


def test_foreign_names_tied_weights_and_kept_tensors() -> None:
    torch.manual_seed(0)
    classifier = wrap(Strange(), (3, 2, 2))
    assert (classifier.head, classifier.classes) == ("head", 4)
    x = images((3, 2, 2)).requires_grad_()
    classifier(x).sum().backward()  # what it kept from the first call serves gradients
    assert x.grad is not None
    double = classifier.double_copy()
    assert {p.dtype for p in double.parameters()} == {torch.float64}
    assert {p.dtype for p in classifier.parameters()} == {torch.float32}


class Gives(nn.Module):
    """A linear layer whose logits are dressed in some way."""

    def __init__(self, dress: Callable[[Tensor], object], classes: int = 4) -> None:
        super().__init__()
        self.linear, self.dress = nn.Linear(12, classes), dress

    def forward(self, x: Tensor) -> object:
        return self.dress(self.linear(x.flatten(1)))


@pytest.mark.parametrize(
    ("dress", "said"),
    [
        (lambda z: {"logits": z}, "it gives dict"), (lambda z: (z, z), "it gives tuple"), (lambda z: None, "it gives NoneType"),
        (lambda z: z[:, :, None, None], r"it gives \(2, 4, 1, 1\)"), (lambda z: z[:1], r"it gives \(1, 4\)"),
        (lambda z: z.argmax(1), r"it gives \(2,\)"), (lambda z: z[:, :1], r"at least 2 classes; it gives \(2, 1\)"),
        (lambda z: z.softmax(1), "gives probabilities; logits are needed"),
        (lambda z: z.reshape(3, 3), "does not take images of 3x2x2"),
    ],
)  # fmt: skip
def test_networks_that_give_something_else(dress: Callable[[Tensor], object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        wrap(Gives(dress), (3, 2, 2))


def test_log_probabilities_are_logits() -> None:
    assert wrap(Gives(lambda z: z.log_softmax(1)), (3, 2, 2)).classes == 4


def test_declared_classes_and_shape_must_fit() -> None:
    assert wrap(tiny(), classes=5).classes == 5
    with pytest.raises(ModelError, match="toy gives 5 logits, 10 are declared"):
        wrap(tiny(), classes=10)
    for shape in ((1, 8, 8), (3, 9, 9), (3, 2, 2)):
        with pytest.raises(
            ModelError, match=f"toy does not take images of {'x'.join(map(str, shape))}: .*dataset.size="
        ):
            wrap(tiny(), shape)


def test_a_network_without_layers() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    network = wrap(Mean())
    assert network.head == ""
    with pytest.raises(ModelError, match="has no layer that is seen to give its logits"):
        network.features(torch.rand(2, *network.shape))


def test_the_head_is_the_last_layer_that_gives_the_classes() -> None:
    class Twice(nn.Module):
        """An early layer as wide as the head, and a later one that is not on the way to the logits."""

        def __init__(self) -> None:
            super().__init__()
            self.early, self.head, self.late = nn.Linear(12, 4), nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head(self.early(x.flatten(1)))
            self.late(logits)
            return logits

    assert wrap(Twice(), (3, 2, 2)).head == "head"
    signs = wrap(Gives(lambda z: torch.cat([z, -z], 1), 1), (3, 2, 2))  # no layer is as wide as the logits
    assert (signs.head, signs.classes) == ("linear", 2)
