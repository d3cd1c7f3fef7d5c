"""Penalties on gradient and Hessian: against dense derivatives in float64, and what training with them does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.errors import ArgumentError
from advlab.training.loop import train
from advlab.training.penalty import Penalty
from advlab.training.recipe import Recipe

SHAPE = (1, 2, 3)
STD = torch.tensor([[[0.5]]], dtype=torch.float64)


def smooth_network(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), *more, nn.Linear(5, 3)).double()


def batch(count: int = 4) -> tuple[Tensor, Tensor]:
    """Normalised images and labels."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, *SHAPE, generator=generator, dtype=torch.float64), torch.arange(count) % 3


def loss_of(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """The cross-entropy of a flat image in [0, 1], which is normalised by STD alone."""
    return F.cross_entropy(network((image / STD.flatten()).view(1, *SHAPE)), label[None])


def penalty(network: nn.Module, *texts: str, seed: int = 0) -> Tensor:
    x, labels = batch()
    return Penalty(list(texts))(network, x, labels, STD, torch.Generator().manual_seed(seed))


def test_the_gradient_penalty_is_the_mean_squared_gradient_with_respect_to_the_image() -> None:
    network = smooth_network()
    x, labels = batch()
    squares = []
    for image, label in zip((x * STD).flatten(1), labels, strict=True):
        leaf = image.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_of(network, leaf, label), leaf)
        squares.append(float(gradient.square().sum()))
    assert float(penalty(network, "gradient:0.7").detach()) == pytest.approx(
        0.7 * sum(squares) / len(squares), rel=1e-12
    )


def test_the_hessian_penalty_is_the_mean_squared_hessian_over_directions() -> None:
    network = smooth_network()
    x, labels = batch()
    squares = []
    for image, label in zip((x * STD).flatten(1), labels, strict=True):
        hessian = torch.autograd.functional.hessian(lambda z, y=label: loss_of(network, z, y), image)  # type: ignore[no-untyped-call]
        squares.append(float(hessian.square().sum()))
    exact = sum(squares) / len(squares)
    estimates = [float(penalty(network, "hessian:1,1e-4", seed=seed).detach()) for seed in range(400)]
    assert sum(estimates) / len(estimates) == pytest.approx(exact, rel=0.1)
    both = penalty(network, "gradient:0.7", "hessian:2,1e-4")
    assert float(both.detach()) == pytest.approx(
        float(penalty(network, "gradient:0.7").detach()) + 2 * estimates[0], rel=1e-9
    )


def test_its_gradient_is_that_of_differences_and_modes_are_restored() -> None:
    network = smooth_network(nn.Dropout(0.5))
    network[1].eval()
    weight = network[1].weight
    assert isinstance(weight, Tensor)
    (gradient,) = torch.autograd.grad(penalty(network, "gradient:1", "hessian:0.1,0.01"), weight)
    assert [module.training for module in network] == [True, False, True, True, True]
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[2, 3] += sign * step
        values.append(float(penalty(network, "gradient:1", "hessian:0.1,0.01").detach()))
        with torch.no_grad():
            weight[2, 3] -= sign * step
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(float(gradient[2, 3]), rel=1e-5)


def test_training_with_a_penalty_ends_with_smaller_derivatives() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (200,), generator=generator)
    centres = torch.rand(3, *SHAPE, generator=generator)
    images = (centres[labels] + 0.2 * torch.randn(200, *SHAPE, generator=generator)).clamp(0, 1)
    norms: dict[str, list[float]] = {}
    for text in ("none", "gradient:0.3", "hessian:0.03,0.1"):
        network = smooth_network().float()
        recipe = Recipe(name="toy", epochs=30, batch_size=20, lr=0.1, penalty=[] if text == "none" else [text])
        mean, std = torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.5)
        log = train(network, images, labels, recipe, mean=mean, std=std, device="cpu", seed=0)
        assert log.epochs[-1].accuracy > 0.7
        squares = [
            float(Penalty([term])(network, images / std, labels, std, torch.Generator().manual_seed(0)).detach())
            for term in ("gradient:1", "hessian:1,0.01")
        ]
        norms[text] = squares
    assert norms["gradient:0.3"][0] < 0.7 * norms["none"][0]
    assert norms["hessian:0.03,0.1"][1] < 0.7 * norms["none"][1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"penalty": ["curvature:1"]}, "penalty must hold gradient, hessian, got"),
        ({"penalty": ["gradient"]}, "write gradient:number"),
        ({"penalty": ["gradient:0"]}, "numbers above 0"),
        ({"penalty": ["hessian:1"]}, "write hessian:number,number"),
        ({"penalty": ["gradient:1", "gradient:2"]}, "each penalty once"),
        ({"penalty": ["gradient:1"], "precision": "bf16"}, "recipe.precision=float32"),
    ],
)
def test_bad_penalties_name_their_fault(values: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Recipe(name="toy", epochs=1, **values)  # type: ignore[arg-type]
