"""Projected gradients in the L-infinity ball: against a linear network, a bare loop in float64, and the attack PGD."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from advlab.attacks import PGD
from advlab.models.classifier import Classifier, frozen
from advlab.models.networks.mlp import MLP
from advlab.training.adversary import Adversary
from advlab.training.linf_ascent import ascend_cross_entropy
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from advlab.training.recipe_text import parse_augmentation

ZERO, ONE = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
RECIPE = Recipe(name="test", epochs=2, batch_size=16, lr=0.05)


def random_images(count: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noisy = torch.randint(0, 60, (count, 1, 6, 6), generator=generator)
    return (noisy + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels


def classifier_of(network: nn.Module) -> Classifier:
    return Classifier(network, name="net", shape=(1, 6, 6), mean=ZERO + 0.3, std=ONE * 0.5).eval()


def test_a_linear_network_is_moved_to_the_corner() -> None:
    """With two classes the gradient has one sign in each pixel: x + epsilon sign(w_other - w_label), cut off at the box."""
    torch.manual_seed(0)
    linear = nn.Linear(36, 2)
    images, labels = random_images(20)
    x, labels = images.float() / 255, labels % 2
    classifier = classifier_of(nn.Sequential(nn.Flatten(), linear))
    with frozen(classifier):
        adv = ascend_cross_entropy(classifier, x, labels, Generator().manual_seed(0), epsilon=0.2, step=0.06, steps=7)
    away = (linear.weight[1 - labels] - linear.weight[labels]).sign().view(x.shape)
    torch.testing.assert_close(adv, (x + 0.2 * away).clamp(0, 1))
    assert not adv.requires_grad


def test_it_starts_uniformly_in_the_ball_inside_the_box() -> None:
    classifier = classifier_of(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)))
    x = torch.full((500, 1, 6, 6), 0.1)
    with frozen(classifier):
        start = ascend_cross_entropy(
            classifier,
            x,
            torch.zeros(500, dtype=torch.int64),
            Generator().manual_seed(0),
            epsilon=0.3,
            step=0.1,
            steps=0,
        )
    assert float((start == 0).float().mean()) == pytest.approx(1 / 3, abs=0.02)  # .1 - .3 to 0 is a third of the ball
    inside = start[start > 0]
    assert float(inside.max()) == pytest.approx(0.4, abs=1e-3)
    assert float(inside.mean()) == pytest.approx(0.2, abs=0.01)


def test_a_certain_network_is_ascended_too() -> None:
    """Where the label's probability rounds to 1, softmax - one-hot is zero and has no sign."""
    torch.manual_seed(0)
    linear = nn.Linear(36, 2)
    with torch.no_grad():
        linear.weight.mul_(10)
        linear.bias.copy_(torch.tensor([200.0, 0.0]))
    x, labels = torch.full((4, 1, 6, 6), 0.5), torch.zeros(4, dtype=torch.int64)
    classifier = classifier_of(nn.Sequential(nn.Flatten(), linear))
    with frozen(classifier):
        adv = ascend_cross_entropy(classifier, x, labels, Generator().manual_seed(0), epsilon=0.2, step=0.1, steps=5)
    away = (linear.weight[1] - linear.weight[0]).sign().view(1, 1, 6, 6)
    torch.testing.assert_close(adv, x + 0.2 * away)


def test_against_a_bare_ascent_in_float64() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3)).double()
    images, labels = random_images(16)
    x = images.double() / 255
    classifier = classifier_of(network).double()
    with frozen(classifier):
        adv = ascend_cross_entropy(classifier, x, labels, Generator().manual_seed(3), epsilon=0.2, step=0.05, steps=6)
    uniform = torch.rand(x.shape, generator=Generator().manual_seed(3), dtype=torch.float64)
    bare = (x + 0.2 * (2 * uniform - 1)).clamp(0, 1)
    for _ in range(6):
        bare.requires_grad_()
        loss = F.cross_entropy(network((bare - 0.3) / 0.5), labels)
        (gradient,) = torch.autograd.grad(loss, bare)
        bare = (bare.detach() + 0.05 * gradient.sign()).clamp(x - 0.2, x + 0.2).clamp(0, 1)
    torch.testing.assert_close(adv, bare)


@pytest.mark.parametrize(("text", "factor"), [("pgd_linf:0.2,0.05,4", 1), ("pgd_linf_and_clean:0.2,0.05,4", 2)])
def test_what_a_step_is_trained_on(text: str, factor: int) -> None:
    found = replace(RECIPE, augment=[text]).adversary
    assert found is not None
    images, labels = random_images(8)
    x = images.float() / 255
    adversary = Adversary(classifier_of(nn.Sequential(nn.Flatten(), nn.Linear(36, 3))), *found)
    batch, of = adversary.batch(x, labels, Generator().manual_seed(0), 1.0)
    assert len(batch) == len(of) == 8 * factor
    assert torch.equal(of[-8:], labels)
    assert torch.equal(of[:8], labels)
    if factor == 2:
        assert torch.equal(batch[:8], x)
    assert 0.19 < float((batch[-8:] - x).abs().max()) <= 0.2 + 1e-6
    weaker, _ = adversary.batch(x, labels, Generator().manual_seed(0), 0.1)
    assert 0.019 < float((weaker[-8:] - x).abs().max()) <= 0.02 + 1e-6


def test_epsilon_rises() -> None:
    recipe = replace(RECIPE, augment=["pgd_linf:8/255,2/255,7"], epsilon_warmup=0.5)
    assert recipe.adversary == ("pgd_linf", (8 / 255, 2 / 255, 7.0))
    assert [recipe.adversary_strength(step, 8) for step in range(8)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    assert replace(recipe, epsilon_warmup=0.0).adversary_strength(0, 8) == 1
    with pytest.raises(ValueError, match="epsilon_warmup must be 0 unless"):
        replace(RECIPE, augment=["pgd:5,0.5"], epsilon_warmup=0.5)
    assert parse_augmentation("affine:10,1/10,0.2") == ("affine", (10.0, 0.1, 0.2))


def test_training_makes_a_network_robust() -> None:
    """Of two classes that differ by .6 in a row, and by .2 in all other pixels, the row alone survives .2 each way."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (512,), generator=generator)
    images = torch.rand(512, 1, 6, 6, generator=generator) * 0.02 + 0.49
    sign = (2 * labels - 1).view(-1, 1, 1)
    images[:, 0, :1] += 0.3 * sign
    images[:, 0, 1:] += 0.1 * sign
    robust = {}
    for name, augment in {"clean": [], "adversarial": ["pgd_linf:0.2,0.05,10"]}.items():
        torch.manual_seed(0)
        network = MLP(input_shape=(1, 6, 6), classes=2, hidden=(32,))
        recipe = Recipe(name="t", epochs=30, batch_size=64, optimizer="adam", lr=3e-3, augment=augment)
        train(network, images, labels, recipe, mean=ZERO + 0.5, std=ONE * 0.3, device="cpu", seed=0)
        classifier = Classifier(network, name="net", shape=(1, 6, 6), mean=ZERO + 0.5, std=ONE * 0.3).eval()
        robust[name] = 1 - float(PGD(epsilon=0.2)(classifier, images, labels).success.float().mean())
    assert robust["adversarial"] > 0.95
    assert robust["clean"] < 0.6
