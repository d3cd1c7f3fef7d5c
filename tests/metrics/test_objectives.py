"""The adversarial and the hard objective: written out in float64, and their gradients by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from advlab.metrics.loss_gradient import cross_entropy
from advlab.metrics.objectives import OwnLoss, Which, expected_loss, objective, own_loss
from advlab.models.classifier import Classifier
from advlab.models.networks.lenet import LeNet
from advlab.models.networks.nin import NiN

LOSSES: tuple[OwnLoss, ...] = ("label", "entropy", "margin", "square")


def mlp() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 4))
    mean, std = torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.2)
    return Classifier(network, name="toy", shape=(3, 2, 2), mean=mean, std=std).double().eval()


def by_hand(outputs: NDArray[np.float64], loss: str) -> list[float]:
    losses = []
    for row in outputs:
        p = np.exp(row) / np.exp(row).sum()
        if loss == "label":
            losses.append(-math.log(max(p)))
        elif loss == "entropy":
            losses.append(-sum(v * math.log(v) for v in p))
        elif loss == "square":
            losses.append(sum(1 - v * v for v in row) / len(row))
        else:
            losses.append(sum(max(0.0, 1 - v * v) for v in row) / len(row))
    return losses


def weights_by_hand(network: Classifier, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    w1, b1, w2, b2, w3, b3 = (p.detach().numpy() for p in network.network.parameters())
    z = (x.numpy().reshape(len(x), -1) - float(np.float32(0.4))) / float(np.float32(0.2))
    features = np.tanh(np.maximum(z @ w1.T + b1, 0) @ w2.T + b2)
    return features @ w3.T + b3, features


@pytest.mark.parametrize("loss", LOSSES)
def test_the_objectives_are_their_formulas(loss: OwnLoss) -> None:
    network = mlp()
    x = torch.rand(5, 3, 2, 2, dtype=torch.float64)
    logits, features = weights_by_hand(network, x)
    adversarial = objective(network, x, "adversarial", loss=loss).detach().numpy()
    hard = objective(network, x, "hard", loss=loss).detach().numpy()
    assert adversarial == pytest.approx(by_hand(logits, loss), rel=1e-5)  # the normalisation is float32
    assert hard == pytest.approx(by_hand(features, loss), rel=1e-5)
    assert not np.allclose(adversarial, hard)


@pytest.mark.parametrize("loss", LOSSES)
def test_own_loss_of_outputs_is_exact_in_float64(loss: OwnLoss) -> None:
    outputs = 2 * torch.randn(40, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert own_loss(outputs, loss).numpy() == pytest.approx(by_hand(outputs.numpy(), loss), rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("which", ["adversarial", "hard"])
def test_gradients_are_those_of_finite_differences(which: Which, loss: OwnLoss) -> None:
    network = mlp()
    x = torch.rand(3, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: objective(network, z, which, loss=loss), (x,), atol=1e-6)


def test_a_sure_network_keeps_its_loss_and_its_gradient() -> None:
    """Float32 softmax is 1 here: -log of it, and its gradient, would be 0."""
    outputs = torch.tensor([[60.0, 0.0, -1.0]], requires_grad=True)
    loss = own_loss(outputs)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    exact = math.exp(-60) * (1 + math.exp(-1))
    assert loss.item() == pytest.approx(exact, rel=1e-5)
    assert gradient[0, 0].item() == pytest.approx(-exact, rel=1e-5)


def test_cross_entropy_is_torchs() -> None:
    outputs = torch.randn(20, 5, dtype=torch.float64)
    labels = torch.arange(20) % 5
    expected = torch.nn.functional.cross_entropy(outputs, labels, reduction="none")
    torch.testing.assert_close(cross_entropy(outputs, labels), expected, rtol=1e-12, atol=0)


def test_extremes() -> None:
    even = torch.zeros(1, 10, dtype=torch.float64)
    assert float(own_loss(even)) == pytest.approx(math.log(10))
    assert float(own_loss(even, "entropy")) == pytest.approx(math.log(10))
    assert float(own_loss(even, "margin")) == 1
    assert float(own_loss(torch.full((1, 3), -7.0), "margin")) == 0  # sure on either side


def test_the_expectation_is_the_mean_over_hypotheses() -> None:
    x = torch.rand(6, 2, dtype=torch.float64)
    hypotheses = [nn.Linear(2, 3).double() for _ in range(4)]
    losses = expected_loss(hypotheses, x, "margin").detach()
    by_one = torch.stack([(1 - h(x) ** 2).clamp(min=0).mean(1) for h in hypotheses]).mean(0).detach()
    torch.testing.assert_close(losses, by_one)
    with pytest.raises(ValueError, match="at least one hypothesis"):
        expected_loss([], x)


LENET = LeNet(input_shape=(1, 28, 28), classes=10), (1, 28, 28), 500
NIN = NiN(input_shape=(3, 32, 32), classes=10), (3, 32, 32), 192 * 64


@pytest.mark.parametrize(("network", "shape", "width"), [LENET, NIN], ids=["lenet", "nin"])
def test_any_network_has_a_hard_objective(network: nn.Module, shape: tuple[int, int, int], width: int) -> None:
    classifier = Classifier(network.eval(), name="net", shape=shape, mean=None, std=None)
    x = torch.rand(2, *shape)
    with torch.no_grad():
        _, features = classifier.features(x)
        hard = objective(classifier, x, "hard")
    assert features.shape[1] == width
    torch.testing.assert_close(hard, -features.log_softmax(1).amax(1))


def test_a_layer_can_be_named() -> None:
    network = mlp()
    x = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    assert not torch.allclose(objective(network, x, "hard", layer="2"), objective(network, x, "hard"))


def test_bad_names() -> None:
    x = torch.rand(2, 3)
    with pytest.raises(ValueError, match="label, entropy, margin or square"):
        own_loss(x, "hinge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least two"):
        own_loss(x[:, :1])
    with pytest.raises(ValueError, match="adversarial or hard"):
        objective(mlp(), torch.rand(1, 3, 2, 2).double(), "soft")  # type: ignore[arg-type]
