"""The wrapper: normalisation inside, features of a layer, digests, restored modes, and networks that do not fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from advlab import components
from advlab.errors import ModelError
from advlab.models.classifier import Classifier, frozen

Shape = tuple[int, int, int]


def images(shape: Shape, n: int = 3) -> Tensor:
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(1))


def tiny(classes: int = 5) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, classes)
    )  # fmt: skip


def wrap(network: nn.Module, shape: Shape = (3, 8, 8), **keys: Any) -> Classifier:
    return Classifier(network, name="toy", shape=shape, **{"mean": None, "std": None, **keys}).eval()


def built(name: str) -> Classifier:
    """A network of the table, as the configuration builds it."""
    torch.manual_seed(0)
    model = components.MODELS.load(name)()
    return Classifier(
        model.network(), name=name, shape=model.shape, classes=model.class_count, mean=None, std=None
    ).eval()


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


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [
        ("lenet", "ip2", 500), ("mlp", None, 512), ("ciresan", "fc2", 300), ("aghdam", "fc2", 300), ("nin", "classifier", None),
        ("cifar_vgg", None, None), ("cifar_alexnet", None, None),
    ],
)  # fmt: skip
def test_features_of_the_networks_here(name: str, head: str | None, size: int | None) -> None:
    classifier = built(name)
    x = images(classifier.shape)
    logits, features = classifier.features(x)
    assert logits.shape == (3, classifier.classes)
    assert torch.equal(logits, classifier(x))
    declared = str(classifier.network.classification_layer)
    assert classifier.head == declared
    assert head in (None, declared)
    assert size in (None, features.shape[1])
    layer = classifier.network.get_submodule(declared)
    if isinstance(layer, nn.Linear):  # the features are what the last layer takes: it gives the logits back
        torch.testing.assert_close(layer(features), logits)
    else:
        assert isinstance(layer, nn.Conv2d)
        maps = features.view(3, layer.in_channels, -1).mean(2)
        torch.testing.assert_close(
            maps @ layer.weight[:, :, 0, 0].T + (0 if layer.bias is None else layer.bias), logits
        )


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [
        ("alexnet", "classifier.6", 4096), ("vgg11", "classifier.6", 4096), ("googlenet", "fc", 1024), ("resnet18", "fc", 512),
        ("densenet121", "classifier", 1024), ("squeezenet1_1", "classifier.1", 512 * 13 * 13),
        ("mobilenet_v3_small", "classifier.3", 1024), ("shufflenet_v2_x0_5", "fc", 1024),
    ],
)  # fmt: skip
def test_features_of_torchvisions_networks(name: str, head: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from advlab.models import torchvision_nets

    for init in ("trunc_normal_", "kaiming_normal_", "normal_"):  # their initialisation takes longer than all the rest
        monkeypatch.setattr(nn.init, init, lambda tensor, *_, **__: tensor)
    model = getattr(torchvision_nets, name)()
    network = model.network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand(()).expand_as(parameter) * 1e-2)
    classifier = Classifier(network, name=name, shape=model.shape, classes=1000, mean=None, std=None).eval()
    assert classifier.head == head
    with torch.inference_mode():
        logits, features = classifier.features(images(classifier.shape, 2))
    assert logits.shape == (2, 1000)
    assert features.shape == (2, size)


def test_features_of_a_transformer() -> None:
    torch.manual_seed(0)
    network = get_model("vit_b_16", weights=None, image_size=32)
    classifier = wrap(network, (3, 32, 32))
    assert (classifier.head, classifier.classes) == ("heads.head", 1000)
    assert classifier.features(images((3, 32, 32)))[1].shape == (3, 768)
    with pytest.raises(ModelError, match=r"does not take images of 3x40x40.*Give their size"):
        wrap(network, (3, 40, 40))


def test_named_layers() -> None:
    classifier = wrap(tiny())
    x = images((3, 8, 8))
    network = classifier.network
    conv = network.get_submodule("0")(x)
    normed = network.get_submodule("1")(conv)
    wanted = {"0": conv, "1": normed, "2": normed.relu(), "3": normed.relu(), "5": classifier(x)}
    for layer, value in wanted.items():  # also before a ReLU that works in place
        torch.testing.assert_close(classifier.features(x, layer)[1], value.flatten(1))
    with pytest.raises(ModelError, match="toy has no layer 'classifier'"):
        classifier.features(x, "classifier")
    with pytest.raises(ModelError, match="toy has no layer ''"):
        classifier.features(x, "")
    with pytest.raises(ModelError, match=r"Did you mean ip[12] or ip[12]\?"):
        built("lenet").features(images((1, 28, 28)), "ip")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Odd(nn.Module):
    """A module that gives no tensor, one that is not used, and one that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.unused, self.act, self.flat, self.out = (
            Pair(),
            nn.ReLU(),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(12, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.act(self.act(self.flat(self.pair(x)[0]))))
        return out


def test_layers_without_features() -> None:
    classifier, x = wrap(Odd(), (3, 2, 2)), images((3, 2, 2))
    torch.testing.assert_close(classifier.features(x, "act")[1], x.flatten(1).tanh().tanh())
    for layer, said in (("pair", "does not give one tensor"), ("unused", "is not used by a forward pass")):
        with pytest.raises(ModelError, match=rf"the layer '{layer}' of toy {said}"):
            classifier.features(x, layer)


def test_features_carry_gradients_to_the_images() -> None:
    classifier, x = wrap(tiny()), images((3, 8, 8)).requires_grad_()
    with frozen(classifier):
        for layer in ("auto", "0"):
            _, features = classifier.features(x, layer)
            (gradient,) = torch.autograd.grad(features.square().sum(), x)
            assert gradient.abs().amax((1, 2, 3)).min() > 0
    assert all(parameter.grad is None for parameter in classifier.parameters())


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
    with pytest.raises(ModelError, match="has no linear or convolutional layer"):
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
