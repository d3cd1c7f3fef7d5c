"""A user's own defense: deterministic, random, without a gradient, and with a reject output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import advlab
from advlab.attacks import PGD, DeepFool
from advlab.config import components
from advlab.config.schema import construct
from advlab.defenses import Blur, Chain, Defense
from advlab.defenses.draws import Draw
from advlab.errors import ConfigError
from advlab.plugins.names import registered_choices
from tests.helpers.commands import Ended
from tests.helpers.plugins import write

DARKER = '''
import advlab

@advlab.defense("darker")
def darker(images, *, factor: float = 0.5):
    """Every pixel darker."""
    return images * factor
'''


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone after it."""
    monkeypatch.setattr(components.REGISTRIES["defense"], "_targets", dict(components.REGISTRIES["defense"]._targets))
    before = set(registered_choices)
    yield
    for key in set(registered_choices) - before:
        del registered_choices[key]


def made(name: str, **options: Any) -> Defense:
    """The defense as a configuration makes it."""
    defense: Defense = construct(components.REGISTRIES["defense"].load(name), options, "defense")
    return defense


def images(n: int = 3) -> Tensor:
    return torch.rand(n, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_function_of_images() -> None:
    @advlab.defense("scaled_test")
    def scaled(images: Tensor, *, bounds: tuple[float, float], factor: float = 0.5) -> Tensor:
        return images * factor + bounds[0]

    defense, x = made("scaled_test", factor=0.25), images()
    assert torch.equal(defense(nn.Identity())(x), x / 4)
    assert torch.equal(defense(nn.Identity(), bounds=(3.0, 4.0))(x), x / 4 + 3)
    assert defense.archived() == {"factor": 0.25}
    assert made("scaled_test").archived() == {"factor": 0.5}
    assert (defense.label, defense.differentiable, defense.random, defense.rejects) == (
        "scaled_test",
        True,
        False,
        False,
    )
    assert Chain(of=(Blur(), defense)).archived()["of"][1] == {"name": "scaled_test", "factor": 0.25}
    point = x.requires_grad_()
    assert torch.equal(torch.autograd.grad(defense(nn.Identity())(point).sum(), point)[0], torch.full_like(x, 0.25))


@pytest.mark.parametrize("differentiable", [True, False])
def test_a_function_may_change_its_images_in_place(differentiable: bool) -> None:
    @advlab.defense(f"in_place_{differentiable}", differentiable=differentiable)
    def darken(images: Tensor) -> Tensor:
        return images.mul_(0.5)

    @advlab.defense(f"in_place_strict_{differentiable}", rejects=True)
    def strict(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        logits = network(images.mul_(0.5))
        return torch.cat([logits, logits.amin(1, keepdim=True) - 1], 1)

    x = images()
    before, network = x.clone(), nn.Flatten()
    for name in (f"in_place_{differentiable}", f"in_place_strict_{differentiable}"):
        defended = made(name)(network)
        assert torch.equal(defended(x)[:, :16], before.flatten(1) / 2)
        assert torch.equal(x, before)
        result = PGD(epsilon=0.3, steps=2)(defended, x, before.flatten(1).argmax(1))
        assert torch.equal(x, before)
        assert bool(result.eligible.all())
        assert result.backwards > 0


def test_a_random_function_draws_from_its_seed_and_the_image() -> None:
    @advlab.defense("jitter_test", random=True)
    def jitter(images: Tensor, draw: Draw, *, size: float = 0.1) -> Tensor:
        return images + size * draw.normal(images.shape[1:]).to(images)

    x = images()
    network = made("jitter_test")(nn.Identity())
    assert network.random
    assert torch.equal(network(x[1:]), network(x)[1:])
    assert not torch.equal(network.logits(x, network.draw(x, 1)), network(x))
    assert not torch.equal(made("jitter_test", seed=1)(nn.Identity())(x), network(x))
    assert made("jitter_test", seed=1).archived() == {"size": 0.1, "seed": 1}


def test_a_function_without_a_gradient_is_straight_through() -> None:
    @advlab.defense("bits_test", differentiable=False)
    def bits(images: Tensor) -> Tensor:
        return (images > 0.5).to(images)

    x = images().requires_grad_()
    changed = made("bits_test")(nn.Identity())(x)
    assert torch.equal(changed, (x > 0.5).double())
    assert torch.equal(torch.autograd.grad((changed * 3).sum(), x)[0], torch.full_like(x, 3.0))


def test_a_function_that_rejects() -> None:
    @advlab.defense("doubtful_test", rejects=True)
    def doubtful(network: Callable[[Tensor], Tensor], images: Tensor, *, least: float = 2.0) -> Tensor:
        logits = network(images)
        return torch.cat([logits, torch.full_like(logits[:, :1], least)], 1)

    def network(x: Tensor) -> Tensor:
        rise = 10 * (x.flatten(1).mean(1) - 0.5)
        return torch.stack([-rise, rise], 1)

    defended, x = made("doubtful_test")(network), torch.full((1, 1, 2, 2), 0.1, dtype=torch.float64)
    assert defended.rejects
    assert defended(x).shape == (1, 3)
    result = DeepFool()(defended, x, torch.tensor([0]))
    assert bool(result.success)
    assert float(result.adv.mean()) > 0.7
    assert bool(PGD(epsilon=0.4, random_start=False)(defended, x, torch.tensor([0])).rejected)
    behind_blur = Chain(of=(Blur(), made("doubtful_test")))
    assert behind_blur.rejects
    assert torch.allclose(behind_blur(network)(x), defended(x))
    with pytest.raises(ValueError, match="doubtful_test, rejects images, so that it must come last"):
        Chain(of=(made("doubtful_test"), Blur()))


def test_it_is_listed_and_described(cli: Callable[..., Ended], tmp_path: Path) -> None:
    path = write(tmp_path, DARKER)
    assert "Every pixel darker." in cli("list", "defenses", "--plugin", path).out
    assert "factor = 0.5" in cli("describe", "darker", "--plugin", path).out


def test_what_it_returns_is_checked() -> None:
    @advlab.defense("cropped_test")
    def cropped(images: Tensor) -> Tensor:
        return images[:, :, 1:]

    @advlab.defense("silent_test", rejects=True)
    def silent(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        return network(images)[:, :2]

    with pytest.raises(ValueError, match=r"cropped_test must return images of shape \(3, 1, 4, 4\), .* \(3, 1, 3, 4\)"):
        made("cropped_test")(nn.Identity())(images())
    with pytest.raises(ValueError, match=r"silent_test rejects: it must return logits \(3, classes \+ 1\)"):
        made("silent_test")(nn.Flatten())(images())


@pytest.mark.parametrize(
    ("name", "options", "function", "message"),
    [
        ("blur", {}, lambda images: images, "the defense name 'blur' is taken already"),
        ("a b", {}, lambda images: images, "cannot be typed"),
        ("n", {}, lambda: None, r"must take \(images\) first"),
        ("n", {"random": True}, lambda images: images, r"must take \(images, draw\) first"),
        ("n", {"rejects": True}, lambda images: images, r"must take \(network, images\) first"),
        ("n", {"random": True}, lambda images, draw, seed=1: images, "'seed', but every one has it"),
        ("n", {"rejects": True, "differentiable": False}, lambda network, images: images, "it must be differentiable"),
    ],
)
def test_what_is_refused(name: str, options: dict[str, Any], function: Callable[..., Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        advlab.defense(name, **options)(function)
