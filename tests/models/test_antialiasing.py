"""Networks that blur before they sample down: the kernel by scipy, where it is put, and what stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from torch import nn

from advlab.errors import ArgumentError, ModelError
from advlab.lab.trained_network import build_network, trained_classifier, training_key
from advlab.models.builtin import MLP, CifarVGG, LeNet
from advlab.models.classifier import Classifier
from advlab.models.networks.antialiasing import GaussianBlur, blur_before, downsampling_layers
from advlab.store.artifacts import ArtifactStore
from advlab.testing import image_data
from advlab.training.recipe import Recipe


@pytest.mark.parametrize("sigma", [0.5, 1.25, 2.0])
def test_the_blur_is_that_of_scipy_with_zeros_outside(sigma: float) -> None:
    x = torch.rand(2, 3, 11, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radius = int(np.ceil(3 * sigma))
    expected = scipy.ndimage.gaussian_filter(
        x.numpy(), (0, 0, sigma, sigma), mode="constant", radius=(0, 0, radius, radius)
    )
    assert GaussianBlur(sigma).double()(x).numpy() == pytest.approx(expected, abs=1e-6)


def test_the_papers_blur_is_a_depthwise_convolution_of_9x9_with_zero_padding_4() -> None:
    x = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    ys, xs = np.mgrid[-4:5, -4:5]
    kernel = np.exp(-(ys**2 + xs**2) / (2 * 1.25**2))
    weight = torch.tensor(kernel / kernel.sum(), dtype=torch.float32).expand(3, 1, 9, 9)
    torch.testing.assert_close(GaussianBlur(1.25)(x), F.conv2d(x, weight, padding=4, groups=3))


def test_lenet_blurs_after_its_convolutions_and_before_pooling() -> None:
    blurred = build_network("lenet", LeNet(blur=1.25), (1, 28, 28), 0)
    plain: Any = LeNet().network()
    weights = [value.clone() for value in blurred.state_dict().values()]
    plain.load_state_dict(dict(zip(plain.state_dict(), weights, strict=True)))
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    blur = GaussianBlur(1.25)
    hidden = plain.pool2(blur(plain.conv2(plain.pool1(blur(plain.conv1(x))))))
    torch.testing.assert_close(blurred(x), plain.ip2(plain.relu(plain.ip1(hidden.flatten(1)))))
    assert not torch.allclose(blurred(x), plain(x))


def test_both_start_with_the_same_weights_and_the_blur_has_none() -> None:
    plain, blurred = (build_network("lenet", LeNet(blur=sigma), (1, 28, 28), 5) for sigma in (0.0, 1.25))
    assert [name for name, _ in blurred.named_parameters()] == [name for name, _ in plain.named_parameters()]
    for one, other in zip(plain.parameters(), blurred.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    digests = {
        Classifier(network, name="lenet", shape=(1, 28, 28), mean=None, std=None).digest()
        for network in (plain, blurred)
    }
    assert len(digests) == 2


def test_layers_by_name_and_all() -> None:
    network = CifarVGG().network()
    assert downsampling_layers(network) == ["features.5", "features.12", "features.19"]
    blurred = CifarVGG(blur=1.0, blur_layers=["features.12"]).network()
    blurs = [name for name, module in blurred.named_modules() if isinstance(module, GaussianBlur)]
    assert blurs == ["features.12.blur"]
    strided: Any = blur_before(
        nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.AvgPool2d(2), nn.MaxPool2d(3, stride=1)), 1.0
    )
    assert [isinstance(layer, nn.MaxPool2d) for layer in strided] == [False, False, True]


@pytest.mark.parametrize(("model", "words"), [
    (LeNet(blur=1.0, blur_layers=["conv1"]), "pool1, pool2"),
    (LeNet(blur=1.0, blur_layers=[]), "pool1, pool2"),
    (MLP(blur=1.0), "no pooling"),
])  # fmt: skip
def test_what_cannot_be_blurred_is_refused(model: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        build_network("net", model, model.shape, 0)


def test_vectors_are_refused() -> None:
    with pytest.raises(ArgumentError, match="blur_layers"):
        GaussianBlur(1.0)(torch.zeros(2, 3))


def test_keys_of_weights_without_blur_are_as_before(tmp_path: Any) -> None:
    pixels = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = image_data(pixels, torch.arange(20) % 10)
    recipe = Recipe(name="toy", epochs=1)
    assert training_key("lenet", LeNet(), recipe, data, 0)["parameters"] == {}
    assert training_key("lenet", LeNet(blur=1.25), recipe, data, 0)["parameters"] == {"blur": 1.25}
    store = ArtifactStore(tmp_path)
    networks = [
        trained_classifier("lenet", LeNet(blur=1.25), recipe, data, store, torch.device("cpu"), 0)[0] for _ in range(2)
    ]
    assert networks[0].digest() == networks[1].digest()  # trained, and read
