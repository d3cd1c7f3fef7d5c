"""Adversarial training: what is added to a batch, against a bare loop, and that it is a recipe like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.metrics.objectives import objective
from advlab.models.classifier import Classifier
from advlab.models.networks.mlp import MLP
from advlab.training.adversary import Adversary, add_noise
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from advlab.training.recipe_text import ADVERSARIES

ZERO, ONE = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
TEXTS = ["hard:2,0.3", "adversarial:2,0.3", "pgd:2,0.3", "noise:0.6", "hard_noise:2,0.3"]
RECIPE = Recipe(name="test", epochs=2, batch_size=16, lr=0.05)


def some_data(count: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noisy = torch.randint(0, 60, (count, 1, 6, 6), generator=generator)
    return (noisy + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(64, 3)
    )


def adversary(net: nn.Module, text: str) -> Adversary:
    found = replace(RECIPE, augment=[text]).adversary
    assert found is not None
    return Adversary(Classifier(net, name="net", shape=(1, 6, 6), mean=ZERO + 0.3, std=ONE * 0.5), *found)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_added(text: str) -> None:
    net = network(dropout=0.5).train()
    statistics = {key: value.clone() for key, value in net.state_dict().items()}
    images, labels = some_data(8)
    x = images.float() / 255
    moved = adversary(net, text)(x, labels, torch.Generator().manual_seed(0))
    lengths = (moved - x).flatten(1).norm(dim=1)
    assert not moved.requires_grad
    assert (lengths > 0.05).all()
    assert (lengths <= 0.6 + 1e-5).all()
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert all(module.training for module in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    for key, value in net.state_dict().items():
        assert torch.equal(value, statistics[key]), key  # batch norms have not seen the unfinished points


def test_each_raises_its_own_objective() -> None:
    net = network().eval()
    images, labels = some_data(16)
    x = images.float() / 255
    measured = Classifier(net, name="net", shape=(1, 6, 6), mean=ZERO + 0.3, std=ONE * 0.5)

    def values(z: Tensor) -> dict[str, float]:
        with torch.no_grad():
            own = F.cross_entropy(measured(z), labels)
            hard, adversarial = objective(measured, z, "hard"), objective(measured, z, "adversarial")
        return {"hard": float(hard.mean()), "adversarial": float(adversarial.mean()), "pgd": float(own)}

    names = ("hard", "adversarial", "pgd")
    reached = {name: values(adversary(net, f"{name}:4,0.02")(x, labels, torch.Generator())) for name in names}
    for name, found in reached.items():
        assert found[name] > values(x)[name]
        assert found[name] == max(other[name] for other in reached.values())  # and no other raises it as much


def test_the_hard_points_do_not_see_labels_and_pgds_do() -> None:
    net = network().eval()
    images, labels = some_data(16)
    x, generator = images.float() / 255, torch.Generator()
    for text, sees in (("hard:2,0.3", False), ("adversarial:2,0.3", False), ("pgd:2,0.3", True)):
        make = adversary(net, text)
        assert torch.equal(make(x, labels, generator), make(x, (labels + 1) % 3, generator)) != sees


def test_noise_has_its_length_inside_the_box() -> None:
    x = torch.zeros(5, 1, 28, 28)
    moved = add_noise(x, 2.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close((moved - x).flatten(1).norm(dim=1), torch.full((5,), 2.5))
    assert float(moved.min()) >= 0
    few = add_noise(torch.rand(50, 1, 2, 2), 5.0, torch.Generator().manual_seed(0))
    assert float(few.min()) >= 0
    assert float(few.max()) <= 1


def test_hard_noise_is_as_far_away_as_the_hard_points_and_elsewhere() -> None:
    net = network().eval()
    images, labels = some_data(8)
    x = images.float() / 255
    hard = adversary(net, "hard:3,0.4")(x, labels, torch.Generator()) - x
    moved = adversary(net, "hard_noise:3,0.4")(x, labels, torch.Generator().manual_seed(0)) - x
    lengths = hard.flatten(1).norm(dim=1)
    assert lengths.min() < 0.9 * lengths.max()
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), lengths)
    cosine = (hard * moved).flatten(1).sum(1) / lengths.square()
    assert (cosine.abs() < 0.6).all()


@pytest.mark.parametrize("step", ["joint", "separate"])
@pytest.mark.parametrize("text", ["pgd:1,0.3", "hard:1,0.3"])
def test_against_a_bare_loop(text: str, step: Literal["joint", "separate"]) -> None:
    """Full batches: the same weights as plain PyTorch with both halves in one loss, or with a step on each."""
    images, labels = some_data()
    recipe = Recipe(
        name="test", epochs=3, batch_size=len(images), lr=0.1, momentum=0.0, schedule="constant", augment=[text],
        adversarial_step=step,
    )  # fmt: skip
    torch.manual_seed(0)
    trained = MLP(input_shape=(1, 6, 6), classes=3, hidden=(8,))
    torch.manual_seed(0)
    bare = MLP(input_shape=(1, 6, 6), classes=3, hidden=(8,))
    train(trained, images, labels, recipe, mean=ZERO + 0.4, std=ONE * 0.3, device="cpu", seed=0)
    x = images.float() / 255
    for _ in range(3):
        at = x.clone().requires_grad_()
        features = bare.features(((at - 0.4) / 0.3).flatten(1))
        logits = bare.classifier(features)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        if text.startswith("hard"):
            loss = F.cross_entropy(features, features.argmax(1), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, at)
        moved = (x + 0.3 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
        for batches in [(x, moved)] if step == "joint" else [(x,), (moved,)]:
            bare.zero_grad()
            losses = [F.cross_entropy(bare((z - 0.4) / 0.3), labels) for z in batches]
            torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for parameter in bare.parameters():
                    assert parameter.grad is not None
                    parameter.sub_(0.1 * parameter.grad)
    for one, two in zip(trained.parameters(), bare.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("text", TEXTS)
def test_same_seed_same_weights(text: str) -> None:
    images, labels = some_data()

    def weights(seed: int, augment: list[str]) -> Tensor:
        net = network()
        log = train(net, images, labels, replace(RECIPE, augment=augment), mean=ZERO, std=ONE, device="cpu", seed=seed)
        assert 0 <= log.epochs[-1].accuracy <= 1
        assert not net.training
        assert all(p.grad is None for p in net.parameters())
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.equal(weights(1, [text]), weights(1, [text]))
    assert not torch.equal(weights(1, [text]), weights(2, [text]))
    assert not torch.equal(weights(1, [text]), weights(1, []))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_with_augmentation_and_either_precision(
    precision: Literal["float32", "bf16"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advlab.training.loop.has_bfloat16", lambda device: True)
    images, labels = some_data()
    recipe = replace(RECIPE, augment=["crop:1", "flip", "hard:1,0.2"], precision=precision)
    log = train(network(0.2), images, labels, recipe, mean=ZERO, std=ONE, device="cpu", seed=0)
    assert log.precision == precision
    assert log.steps == 6


def test_recipes_say_what_is_wrong() -> None:
    for name in ADVERSARIES:
        text = f"{name}:" + {1: "0.5", 2: "5,0.5", 3: "0.3,0.1,5"}[len(ADVERSARIES[name])]
        assert replace(RECIPE, augment=["flip", text]).adversary is not None
        assert replace(RECIPE, augment=["flip", text]).transforms == ["flip"]
    assert replace(RECIPE, augment=["flip"]).adversary is None
    for augment, words in [
        (["hard:5,0.5", "flip"], "last entry"),
        (["noise:1", "pgd:5,0.5"], "last entry"),
        (["hard:2.5,0.5"], "whole steps"),
        (["hard:0,0.5"], "above 0"),
        (["noise:0"], "above 0"),
        (["hard:5"], "steps, length of a step"),
        (["pgd_linf:0.3,0.1"], "epsilon, length of a step, steps"),
        (["pgd_linf:0.3,0.1,2.5"], "whole steps"),
        (["pgd_linf:0,0.1,2"], "above 0"),
        (["pgd_linf:8/0,0.1,2"], "numbers at least 0"),
        (["pgd_linf_and_clean:0.3,0.1,2", "flip"], "last entry"),
    ]:
        with pytest.raises(ValueError, match=words):
            replace(RECIPE, augment=augment)


def test_a_network_without_a_feature_layer() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(36, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.weight

    images, labels = some_data()
    with pytest.raises(ModelError, match="no layer that is seen to give its logits"):
        train(Odd(), images, labels, replace(RECIPE, augment=["hard:1,0.1"]), mean=ZERO, std=ONE, device="cpu", seed=0)
