"""The networks: sizes of the published ones, foreign shapes, gradients, and errors that name what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from advlab.models.networks.cifar import CifarAlexNet, CifarVGG
from advlab.models.networks.ciresan import Aghdam, Ciresan, ScaledTanh
from advlab.models.networks.lenet import LeNet
from advlab.models.networks.mlp import MLP
from advlab.models.networks.nin import NiN

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "lenet": LeNet,
    "nin": NiN,
    "ciresan": Ciresan,
    "aghdam": Aghdam,
    "mlp": MLP,
    "cifar_alexnet": CifarAlexNet,
    "cifar_vgg": CifarVGG,
}
CLASSIFICATION_LAYERS = {"lenet": "ip2", "ciresan": "fc2", "aghdam": "fc2"}  # the others call it classifier


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("make", "input_shape", "classes", "count"),
    [
        (LeNet, (1, 28, 28), 10, 431_080),
        (Ciresan, (3, 48, 48), 43, 1_543_443),
        (Aghdam, (3, 48, 48), 43, 1_123_443),
        (NiN, (3, 32, 32), 10, 966_986),
        (MLP, (1, 28, 28), 10, 669_706),
        (CifarAlexNet, (3, 32, 32), 10, 2_472_266),
    ],
)
def test_published_sizes(
    make: Callable[..., nn.Module], input_shape: tuple[int, int, int], classes: int, count: int
) -> None:
    assert parameters(make(input_shape=input_shape, classes=classes)) == count


@pytest.mark.parametrize("input_shape", [(1, 28, 28), (3, 32, 32), (3, 48, 40), (2, 29, 31)])
@pytest.mark.parametrize("name", NETWORKS)
def test_foreign_shapes_and_gradients(name: str, input_shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](input_shape=input_shape, classes=7).eval()
    x = torch.randn(3, *input_shape, requires_grad=True)
    logits = network(x)
    assert logits.shape == (3, 7)
    assert logits.isfinite().all()
    logits.logsumexp(dim=1).sum().backward()
    assert x.grad is not None
    # every image drives its own logits, and every parameter takes part
    assert (x.grad.abs().amax(dim=(1, 2, 3)) > 0).all()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", NETWORKS)
def test_images_do_not_mix_in_evaluation(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](input_shape=(3, 32, 32), classes=5).eval().double()
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_classification_layer_gives_one_number_per_class(name: str) -> None:
    network = NETWORKS[name](input_shape=(3, 32, 32), classes=6)
    layer = network.get_submodule(CLASSIFICATION_LAYERS.get(name, "classifier"))
    assert isinstance(layer, (nn.Linear, nn.Conv2d))
    assert layer.weight.shape[0] == 6


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_same_weights(name: str) -> None:
    def make(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return NETWORKS[name](input_shape=(3, 32, 32), classes=4)

    first, again, other = make(0), make(0), make(1)
    for one, two in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert any(not torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "side"),
    [("lenet", 12), ("ciresan", 24), ("aghdam", 24), ("nin", 4), ("cifar_alexnet", 10), ("cifar_vgg", 7)],
)
def test_too_small_images(name: str, side: int) -> None:
    with pytest.raises(ValueError, match=rf"at least {side + 1}x{side + 1} pixels, got {side}x{side}"):
        NETWORKS[name](input_shape=(1, side, side), classes=3)
    network = NETWORKS[name](input_shape=(1, side + 1, side + 1), classes=3).eval()
    assert network(torch.zeros(2, 1, side + 1, side + 1)).shape == (2, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_bad_shapes_and_classes(name: str) -> None:
    with pytest.raises(ValueError, match="classes must be at least 2"):
        NETWORKS[name](input_shape=(3, 32, 32), classes=1)
    with pytest.raises(ValueError, match="input_shape must be"):
        NETWORKS[name](input_shape=(3, 32, 0), classes=3)


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="activation must be one of relu, tanh"):
        MLP(input_shape=(1, 8, 8), classes=3, activation="gelu")
    with pytest.raises(ValueError, match="initialisation must be he or torch, got 'xavier'"):
        MLP(input_shape=(1, 8, 8), classes=3, initialisation="xavier")
    with pytest.raises(ValueError, match="hidden must list"):
        MLP(input_shape=(1, 8, 8), classes=3, hidden=(16, 0))
    with pytest.raises(ValueError, match="widths must list"):
        CifarVGG(input_shape=(3, 32, 32), classes=3, widths=())


def test_lenet_starts_as_caffe_does() -> None:
    torch.manual_seed(0)
    network = LeNet(input_shape=(1, 28, 28), classes=10)
    for layer, fan_in in ((network.conv1, 25), (network.conv2, 500), (network.ip1, 800), (network.ip2, 500)):
        bound = (3 / fan_in) ** 0.5
        assert layer.weight.abs().max() <= bound
        assert layer.weight.abs().max() > 0.95 * bound
        assert layer.bias is not None
        assert (layer.bias == 0).all()


def test_lenet_has_no_relu_after_its_convolutions() -> None:
    torch.manual_seed(0)
    network = LeNet(input_shape=(1, 28, 28), classes=10)
    seen: list[torch.Tensor] = []
    network.ip1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.rand(8, 1, 28, 28))
    assert (seen[0] < 0).any()


def test_ciresan_is_the_published_column() -> None:
    """Pooling before the activation gives what the published order gives, activation first."""
    torch.manual_seed(0)
    network = Ciresan(input_shape=(3, 48, 48), classes=43).double()
    x = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    y = x
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            y = nn.functional.max_pool2d(1.7159 * torch.tanh(2 / 3 * layer(y)), 2)
    assert y.shape == (2, 250, 3, 3)
    expected = network.fc2(1.7159 * torch.tanh(2 / 3 * network.fc1(y.flatten(1))))
    torch.testing.assert_close(network(x), expected)


def test_scaled_tanh() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(ScaledTanh()(x), torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64), atol=1e-4, rtol=0)


def test_mlp_options() -> None:
    assert parameters(MLP(input_shape=(1, 4, 4), classes=3, hidden=())) == 16 * 3 + 3
    network = MLP(input_shape=(1, 4, 4), classes=3, hidden=(5,), activation="tanh")
    assert isinstance(network.features[1], nn.Tanh)
    assert parameters(network) == 16 * 5 + 5 + 5 * 3 + 3


def test_initialisations_of_the_mlp() -> None:
    """`he` has the deviations of He et al. 2015 and no biases; `torch` is torch.nn.Linear's own, drawn in the same order."""
    torch.manual_seed(0)
    he = MLP(input_shape=(1, 20, 20), classes=10, hidden=(300,))
    weights = [parameter.detach() for parameter in he.parameters()]
    assert float(weights[0].std()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert float(weights[2].std()) == pytest.approx(300**-0.5, rel=0.05)
    assert not weights[1].any() and not weights[3].any()  # noqa: PT018
    torch.manual_seed(0)
    default = MLP(input_shape=(1, 20, 20), classes=10, hidden=(300,), initialisation="torch")
    torch.manual_seed(0)
    layers = [nn.Linear(400, 300), nn.Linear(300, 10)]
    expected = [parameter for layer in layers for parameter in layer.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(default.parameters(), expected, strict=True))
