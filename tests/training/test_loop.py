"""Training: normalisation constants, determinism, the optimizer's groups, errors, and one real training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.data.digits import Digits
from advlab.data.source import LoadOptions
from advlab.models.networks.lenet import LeNet
from advlab.models.networks.mlp import MLP
from advlab.store.artifacts import ArtifactStore
from advlab.training.epochs import TrainingLog
from advlab.training.loop import train
from advlab.training.normalisation import normalisation
from advlab.training.recipe import Recipe

RECIPE = Recipe(name="test", epochs=2, batch_size=16, lr=0.05, weight_decay=5e-4)
ZERO, ONE = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)


def some_data(count: int = 70) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noise = torch.randint(0, 60, (count, 1, 8, 8), generator=generator)
    return (noise + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels


def trained(recipe: Recipe = RECIPE, seed: int = 0) -> tuple[nn.Module, TrainingLog]:
    images, labels = some_data()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(576, 3))
    log = train(network, images, labels, recipe, mean=ZERO, std=ONE, device="cpu", seed=seed)
    return network, log


def same_weights(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_same_seed_same_weights(precision: Literal["float32", "bf16"]) -> None:
    recipe = replace(RECIPE, precision=precision, augment=["crop:1", "flip"])
    first, _ = trained(recipe, seed=7)
    torch.rand(3)  # the global random state must not matter
    again, _ = trained(recipe, seed=7)
    other, _ = trained(recipe, seed=8)
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_the_global_random_state_is_left_alone() -> None:
    images, labels = some_data()
    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8,))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(network, images, labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    assert torch.equal(torch.rand(2), expected)


def test_how_it_leaves_the_network() -> None:
    network, log = trained(replace(RECIPE, precision="bf16"))
    assert not any(module.training for module in network.modules())
    for parameter in network.parameters():
        assert parameter.grad is None
        assert parameter.dtype == torch.float32
        assert parameter.is_contiguous()
    assert log.steps == 2 * 4
    assert [epoch.epoch for epoch in log.epochs] == [1, 2]
    assert log.seconds > 0
    assert all(0 <= epoch.accuracy <= 1 and epoch.loss > 0 for epoch in log.epochs)


def test_bfloat16_only_where_it_is_not_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advlab.training.loop.has_bfloat16", lambda device: False)
    fallback, log = trained(replace(RECIPE, precision="bf16"))
    wanted, _ = trained(RECIPE)
    assert log.precision == "float32"
    assert same_weights(fallback, wanted)
    monkeypatch.setattr("advlab.training.loop.has_bfloat16", lambda device: True)
    low, log = trained(replace(RECIPE, precision="bf16"))
    assert log.precision == "bf16"
    assert not same_weights(low, wanted)


def test_against_a_bare_loop() -> None:
    """Full batches, no augmentation: the same weights as ten lines of plain PyTorch."""
    images, labels = some_data()
    recipe = Recipe(
        name="test",
        epochs=5,
        batch_size=len(images),
        lr=0.1,
        weight_decay=0.01,
        bias_lr=2.0,
        bias_decay=0.0,
        head_lr=0.5,
        schedule="inv",
        inv_gamma=0.3,
        label_smoothing=0.1,
    )
    torch.manual_seed(0)
    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8,)).double()
    torch.manual_seed(0)
    reference = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8,))
    train(network.float(), images, labels, recipe, mean=ZERO + 0.4, std=ONE * 0.3, device="cpu", seed=0)

    x = (images.float() / 255 - 0.4) / 0.3
    rates = {"features.0.weight": 0.1, "features.0.bias": 0.2, "classifier.weight": 0.05, "classifier.bias": 0.1}
    velocity = {name: torch.zeros_like(parameter) for name, parameter in reference.named_parameters()}
    for step in range(5):
        reference.zero_grad()
        F.cross_entropy(reference(x), labels, label_smoothing=0.1).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, parameter in reference.named_parameters():
                assert parameter.grad is not None
                decay = 0.0 if name.endswith("bias") else 0.01
                velocity[name] = 0.9 * velocity[name] + parameter.grad + decay * parameter
                parameter.sub_(rates[name] * (1 + 0.3 * step) ** -0.75 * velocity[name])
    for one, two in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimizer_learns(optimizer: Literal["sgd", "adam", "adamw"]) -> None:
    recipe = replace(RECIPE, epochs=15, optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 0.005)
    _, log = trained(recipe)
    assert log.epochs[-1].accuracy > 0.9
    assert log.epochs[-1].loss < 0.5 * log.epochs[0].loss


def test_every_image_is_seen_once_an_epoch() -> None:
    images = torch.arange(24, dtype=torch.uint8).view(24, 1, 1, 1).expand(24, 1, 4, 4).contiguous()
    network = MLP(input_shape=(1, 4, 4), classes=2, hidden=())
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0][:, 0, 0, 0] * 255).round().int()))
    recipe = Recipe(name="test", epochs=2, batch_size=8, lr=1e-3)
    labels = torch.zeros(24, dtype=torch.int64)
    train(network, images, labels, recipe, mean=ZERO, std=ONE, device="cpu", seed=0)
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert sorted(first.tolist()) == list(range(24)) == sorted(second.tolist())
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(24))


def test_frozen_parameters_stay() -> None:
    images, labels = some_data()
    torch.manual_seed(0)
    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8,))
    network.features.requires_grad_(False)
    hidden = network.get_parameter("features.0.weight")
    before = hidden.clone()
    head = network.classifier.weight.clone()
    train(network, images, labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    assert torch.equal(hidden, before)
    assert not torch.equal(network.classifier.weight, head)


def test_progress_and_interruption() -> None:
    images, labels = some_data()
    calls: list[tuple[int, int, float]] = []

    def on_step(done: int, total: int, loss: float) -> None:
        calls.append((done, total, loss))
        if done == 5:
            raise KeyboardInterrupt

    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8,))
    with pytest.raises(KeyboardInterrupt):
        train(network, images, labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0, on_step=on_step)
    assert [(done, total) for done, total, _ in calls] == [(step, 8) for step in range(1, 6)]
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_loss_that_is_not_finite() -> None:
    images, labels = some_data()
    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=(8, 8, 8))
    recipe = replace(RECIPE, epochs=50, lr=1e12, schedule="constant")
    with pytest.raises(FloatingPointError, match=r"in epoch \d+, step \d+ of 200: lower recipe.lr"):
        train(network, images, labels, recipe, mean=ZERO, std=ONE, device="cpu", seed=0)


def test_bad_data() -> None:
    images, labels = some_data()
    network = MLP(input_shape=(1, 8, 8), classes=3, hidden=())
    with pytest.raises(ValueError, match="uint8"):
        train(network, images.float(), labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    with pytest.raises(ValueError, match="one per image"):
        train(network, images, labels[:-1], RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    with pytest.raises(ValueError, match="trains nothing"):
        train(network, images, labels, Recipe(), mean=ZERO, std=ONE, device="cpu", seed=0)


def test_lenet_learns_real_digits() -> None:
    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False))
    training, test = (Digits().load(split, "digits", options) for split in ("train", "test"))
    images = training.bytes(torch.arange(len(training)))
    recipe = Recipe(name="digits", epochs=8, batch_size=64, lr=0.03, weight_decay=5e-4, normalise="caffe")
    mean, std = normalisation(recipe, images)
    torch.manual_seed(0)
    network = LeNet(input_shape=(1, 28, 28), classes=10)
    train(network, images, training.labels, recipe, mean=mean, std=std, device="cpu", seed=0)
    with torch.inference_mode():
        predicted = network((test.images(torch.arange(len(test))) - mean) / std).argmax(dim=1)
    assert (predicted == test.labels).float().mean() > 0.97
