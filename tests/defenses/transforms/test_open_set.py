"""Networks that reject by OpenMax and by a threshold on softmax: fitted, in lists, differentiated and attacked."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import PGD, DeepFool
from advlab.attacks.defended import Defended
from advlab.attacks.rejection import rejected
from advlab.data.images import ImageData, tensor_digest
from advlab.defenses import Blur, Chain, Noise, OpenMax, SoftmaxThreshold
from advlab.errors import ArgumentError, ModelError
from advlab.models.classifier import Classifier
from advlab.open_set.openmax import fit_open_set, openmax_logits

SHAPE = (2, 4, 4)
CLASSES = 3


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    first, last = nn.Linear(32, 8), nn.Linear(8, CLASSES)
    first.weight.data *= 4
    last.weight.data *= 4
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), last).to(dtype)


def classifier() -> Classifier:
    return Classifier(network(), name="toy", shape=SHAPE, mean=None, std=None).eval()


def training_images(n: int = 400) -> ImageData:
    """Images labelled as the network classifies them, one in twenty otherwise."""
    pixels = torch.randint(256, (n, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = network()(pixels.float() / 255).argmax(1)
    labels[::20] = (labels[::20] + 1) % CLASSES
    digest = tensor_digest(pixels, labels)
    return ImageData("toy", "train", ("a", "b", "c"), labels, SHAPE, digest, pixels)


def images(n: int = 30, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(n, *SHAPE, dtype=dtype, generator=torch.Generator().manual_seed(2))


OPENMAX = OpenMax(layer="2", tail_size=30)


@functools.cache
def fitted(defense: OpenMax = OPENMAX) -> dict[str, Tensor]:
    arrays = defense.fit(training_images(), network())
    assert arrays is not None
    return arrays


def test_it_is_openmax_of_the_layer() -> None:
    data, own = training_images(), network()
    with torch.no_grad():
        seen = data.images(torch.arange(len(data)))
        features, logits = own[:3](seen), own(seen)
        model = fit_open_set(features, data.labels, logits.argmax(1), classes=CLASSES, tail_size=30)
        x = images()
        expected = openmax_logits(own(x), model.exceeded(own[:3](x)), alpha=2)  # type: ignore[index]
        found = OPENMAX(own, fitted=fitted())(x)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)
    assert 0 < int(rejected(found).sum()) < len(x)
    # of a classifier "auto" is the input of the classification layer, here the same
    automatic = OpenMax(tail_size=30)
    arrays = automatic.fit(data, classifier())
    assert arrays is not None
    assert torch.allclose(automatic(classifier(), fitted=arrays)(x), expected, rtol=0, atol=1e-5)
    with torch.no_grad():
        parts = torch.cat([OPENMAX(own, fitted=fitted())(part) for part in x.split(7)])
    assert torch.allclose(parts, found, rtol=0, atol=1e-5)


@pytest.mark.parametrize("defense", [OPENMAX, SoftmaxThreshold()], ids=lambda defense: defense.label)
def test_it_is_what_attacks_know(defense: OpenMax | SoftmaxThreshold) -> None:
    defended = defense(network(), fitted=fitted())
    assert isinstance(defended, Defended)
    assert (defended.differentiable, defended.random, defended.rejects) == (True, False, True)
    for dtype in (torch.float32, torch.float64):
        logits = defense(network(dtype), fitted=fitted())(images(4, dtype))
        assert (logits.dtype, tuple(logits.shape)) == (dtype, (4, CLASSES + 1))


@pytest.mark.parametrize(
    "defense",
    [
        OPENMAX,
        OpenMax(layer="2", decision="reject"),
        OpenMax(layer="1", distance="euclidean", offset=2.0),
        SoftmaxThreshold(),
    ],
    ids=str,
)
def test_gradients_are_finite_differences(defense: OpenMax | SoftmaxThreshold) -> None:
    arrays = fitted(defense) if isinstance(defense, OpenMax) else None
    defended = defense(network(torch.float64), fitted=arrays)
    assert torch.autograd.gradcheck(defended, (images(2, torch.float64).requires_grad_(),), atol=1e-6)


def test_in_a_list_it_sees_what_the_defenses_before_it_made() -> None:
    chain, x = Chain(of=(Blur(), OPENMAX)), images()
    arrays = chain.fit(training_images(), network())
    assert arrays is not None
    assert set(arrays) == {"1.means", "1.smallest", "1.shape", "1.log_ratio"}
    found = chain(network(), fitted=arrays)(x)
    blurred = Blur()(nn.Identity())(x)
    assert torch.allclose(found, OPENMAX(network(), fitted=fitted())(blurred), rtol=0, atol=1e-6)
    # in front of a network that is behind a defense already, the features are those of its images too
    nested = OPENMAX(Blur()(network()), fitted=fitted())(x)
    assert torch.allclose(found, nested, rtol=0, atol=1e-6)
    noisy = OPENMAX(Noise(sigma=0.2)(network()), fitted=fitted())
    assert noisy.random
    assert not torch.equal(noisy.logits(x, noisy.draw(x, 0)), noisy.logits(x, noisy.draw(x, 1)))


def test_an_attack_that_knows_it_passes_it() -> None:
    """It must beat both the label and the rejection; one that knows the network alone is rejected more often."""
    defended, x = OPENMAX(network(), fitted=fitted()), images(60)
    with torch.no_grad():
        labels = defended(x).argmax(1)
    kept = labels < CLASSES
    x, labels = x[kept], labels[kept]
    for attack in (DeepFool(), PGD(norm="linf", epsilon=0.2)):
        aware, unaware = attack(defended, x, labels), attack(network(), x, labels)
        with torch.no_grad():
            after, of_unaware = defended(aware.adv).argmax(1), defended(unaware.adv).argmax(1)
        fooled = (after != labels) & (after < CLASSES)
        assert torch.equal(aware.success, fooled)
        assert int(fooled.sum()) > int(((of_unaware != labels) & (of_unaware < CLASSES)).sum())


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="openmax must be fitted first"):
        OPENMAX(network())
    with pytest.raises(ArgumentError, match=r"of\[0\], openmax, rejects images, so that it must come last"):
        Chain(of=(OPENMAX, Blur()))
    with pytest.raises(ArgumentError, match="the network behind the defense rejects images already"):
        SoftmaxThreshold()(OPENMAX(network(), fitted=fitted()))
    with pytest.raises(ModelError, match=r"defense.layer: Sequential has no layer 'ip1'"):
        OpenMax(layer="ip1").fit(training_images(), network())
    with pytest.raises(ArgumentError, match="openmax looks at a layer of the network"):
        OPENMAX(lambda x: x.flatten(1)[:, :CLASSES], fitted=fitted())(images())
    with pytest.raises(
        ArgumentError, match="fitted to 3 classes and features of size 8, but the network gives 3 and 32"
    ):
        OpenMax(layer="0")(network(), fitted=fitted())(images())
    for wrong in ({"tail_size": 1}, {"alpha": 0}, {"translation": 0.0}, {"reject_at": 1.0}, {"distance": "cos"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            OpenMax(**wrong)  # type: ignore[arg-type]
