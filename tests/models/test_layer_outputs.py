"""The outputs of a layer, taken as features: of the networks here, of torchvision's, and of layers that give none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from advlab.errors import ModelError
from advlab.models import torchvision_networks
from advlab.models.classifier import Classifier, frozen
from tests.helpers.classifiers import built, images, tiny, wrap
from tests.helpers.long_cases import one_in


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [
        ("lenet", "ip2", 500), ("mlp", "classifier", 512), ("ciresan", "fc2", 300), ("aghdam", "fc2", 300),
        ("nin", "classifier", None), ("cifar_vgg", "classifier", None), ("cifar_alexnet", "classifier", None),
    ],
)  # fmt: skip
def test_features_of_the_networks_here(name: str, head: str, size: int | None) -> None:
    classifier = built(name)
    x = images(classifier.shape)
    logits, features = classifier.features(x)
    assert logits.shape == (3, classifier.classes)
    assert torch.equal(logits, classifier(x))
    assert classifier.head == head
    assert size in (None, features.shape[1])
    layer = classifier.network.get_submodule(head)
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
    one_in(4, [
        ("alexnet", "classifier.6", 4096), ("vgg11", "classifier.6", 4096), ("googlenet", "fc", 1024), ("resnet18", "fc", 512),
        ("densenet121", "classifier", 1024), ("squeezenet1_1", "classifier.1", 512 * 13 * 13),
        ("mobilenet_v3_small", "classifier.3", 1024), ("shufflenet_v2_x0_5", "fc", 1024),
    ]),
)  # fmt: skip
def test_features_of_torchvisions_networks(name: str, head: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for init in ("trunc_normal_", "kaiming_normal_", "normal_"):  # their initialisation takes longer than all the rest
        monkeypatch.setattr(nn.init, init, lambda tensor, *_, **__: tensor)
    model = getattr(torchvision_networks, name)()
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
