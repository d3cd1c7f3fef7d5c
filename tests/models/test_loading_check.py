"""Networks that lie quietly: each fault is found and named, honest networks in low precision are not suspected."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advlab.errors import ModelError
from advlab.models.base import caution_text
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.models.loading_check import faults_of, refuse_or_allow
from tests.helpers.classifiers import built, images, tiny, wrap


def faults(network: nn.Module, precision: str = "float32", x: Tensor | None = None) -> dict[str, str]:
    classifier = network if isinstance(network, Classifier) else wrap(network)
    x = images(classifier.shape, 4) if x is None else x
    return faults_of(classifier, Forward(classifier, Execution(4, "contiguous", precision)), x)


class Changed(nn.Module):
    """A network of `tiny` whose hidden values are changed before its head."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.change = tiny(), change

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.change(self.body[:5](x))
        out: Tensor = self.body[5](hidden)
        return out


class StaysInTraining(nn.Sequential):
    def train(self, mode: bool = True) -> StaysInTraining:
        return super().train(True)


class InAList(nn.Module):
    def __init__(self, *, hidden: list[nn.Module]) -> None:
        super().__init__()
        self.body, self.blocks = tiny(), hidden

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body[5](self.blocks[0](self.body[:5](x)))
        return out


def with_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return F.linear(x, torch.eye(x.shape[1]) + 0.01).float()


def now_and_then() -> Callable[[Tensor], Tensor]:
    """Noise in every third forward."""
    calls = itertools.count()
    return lambda z: z + 0.1 * torch.randn_like(z) if next(calls) % 3 == 2 else z


def seeded_noise(z: Tensor) -> Tensor:
    return z + 0.02 * torch.randn(z.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", ["lenet", "mlp", "nin", "cifar_vgg", "ciresan"])
def test_networks_here_have_no_faults(name: str, precision: str) -> None:
    assert faults(built(name), precision) == {}


@pytest.mark.parametrize(
    ("network", "fault", "said"),
    [
        (lambda: Changed(lambda z: F.dropout(z, 0.2)), "noisy", "by 0.* of the largest: noise or dropout stays on"),
        (lambda: Changed(lambda z: z + 1e-3 * torch.randn_like(z)), "noisy", "the same image gives other logits"),
        (lambda: Changed(now_and_then()), "noisy", "the same image gives other logits"),
        (lambda: Changed(seeded_noise), "batch", "on its place among them"),
        (lambda: Changed(lambda z: z - z.mean(0)), "batch", "depend on the other images in its batch"),
        (lambda: Changed(lambda z: z / z.abs().max()), "batch", "depend on the other images"),
        (lambda: nn.Sequential(tiny(), nn.Sigmoid()), "squashed", "sigmoid or softmax"),
        (lambda: nn.Sequential(tiny(2), nn.Hardsigmoid()), "squashed", "logits are needed"),
        (lambda: StaysInTraining(*tiny()), "training", r"5 \(Linear\) and 6 more stay in training mode"),
        (lambda: InAList(hidden=[nn.Dropout(0.5)]), "noisy", r"blocks\[0\] is a Dropout in a plain list"),
    ],
)  # fmt: skip
def test_each_fault_is_named(network: Callable[[], nn.Module], fault: str, said: str) -> None:
    found = faults(network())
    assert fault in found

    with pytest.raises(ModelError, match=said):
        refuse_or_allow("toy", found, [])
    refuse_or_allow("toy", found, list(found))


@pytest.mark.parametrize(
    "network",
    [
        lambda: Changed(with_autocast), lambda: tiny().bfloat16(), lambda: tiny().half(), lambda: nn.Sequential(tiny(), nn.Tanh()),
        lambda: nn.Sequential(tiny(), nn.LogSoftmax(1)), lambda: nn.Sequential(tiny(), nn.Softplus()),
        lambda: InAList(hidden=[nn.Dropout(0.5).eval()]), lambda: InAList(hidden=[nn.Linear(144, 144)]),
    ],
)  # fmt: skip
def test_honest_networks_are_not_refused(network: Callable[[], nn.Module]) -> None:
    assert faults(network()) == {}


def test_zero_logits_of_an_untrained_head_are_not_squashed() -> None:
    network = tiny()
    nn.init.zeros_(network[5].weight)  # type: ignore[arg-type]
    nn.init.zeros_(network[5].bias)  # type: ignore[arg-type]
    assert faults(network) == {}


def test_an_allowed_fault_does_not_allow_another() -> None:
    found = faults(nn.Sequential(Changed(lambda z: F.dropout(z, 0.2)), nn.Sigmoid()))
    assert list(found) == ["noisy", "squashed"]
    with pytest.raises(
        ModelError, match=r"""type "model.allow=\[noisy,squashed\]" \(advlab.run: allow=\['noisy', 'squashed'\]\)"""
    ):
        refuse_or_allow("toy", found, ["noisy"])


def test_shapes_that_differ_for_one_image_and_nan() -> None:
    with pytest.raises(ModelError, match=r"\(4,\).*one by one|does not take images|one by one"):
        faults(nn.Sequential(tiny(), Squeezes()))
    with pytest.raises(ModelError, match="NaN or infinite logits for every image"):
        faults(Changed(lambda z: z * torch.nan))


class Squeezes(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return x.squeeze(0)


def test_a_network_that_takes_no_image_alone() -> None:
    with pytest.raises(ModelError, match=r"takes no image alone \(Expected more than 1 value.*statistics of the batch"):
        faults(Changed(lambda z: F.batch_norm(z, None, None, training=True)))
    with pytest.raises(ModelError, match=r"blocks\[0\] is a BatchNorm1d in a plain list or mapping"):
        faults(InAList(hidden=[nn.BatchNorm1d(144)]))


class AtMostThree(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert len(x) < 4, "no more than three"
        return x


def test_a_network_that_takes_two_images_and_not_four() -> None:
    with pytest.raises(ModelError, match=r"does not take 4 images of 3x8x8: no more than three.* It takes two of them"):
        faults(nn.Sequential(AtMostThree(), tiny()))


def test_one_image_of_the_data_is_enough() -> None:
    assert faults(tiny(), x=images((3, 8, 8), 1)) == {}
    assert list(faults(Changed(lambda z: z - z.mean(0)), x=images((3, 8, 8), 1))) == ["batch"]


def test_what_stands_beside_a_claim() -> None:
    assert caution_text("the network", ["training", "noisy"]) == "the network is in training mode and noisy"
