"""DeepFool, its refinement and PGD in whole grey levels: on the grid, adversarial there, and not farther than they must."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, PGD, Attack, DeepFool
from advlab.attacks.grey_levels import in_grey_levels
from advlab.errors import ArgumentError

BOUNDS = [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]


def network(size: int = 48, classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 16), nn.Tanh(), nn.Linear(16, classes)).double()


def images(n: int = 40) -> Tensor:
    return torch.randint(0, 256, (n, 3, 4, 4), generator=torch.Generator().manual_seed(1)).double() / 255


def levels(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    return (x - bounds[0]) / (bounds[1] - bounds[0]) * 255


ATTACKS: list[Attack] = [
    DeepFool(discrete=True),
    DeepFool(discrete=True, norm="linf"),
    DeepFool(discrete=True, refine=True),
    PGD(discrete=True, epsilon=0.12),
    PGD(discrete=True, epsilon=1.2, norm="l2"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.label}-{a.norm_name}-{getattr(a, 'refine', '')}")
def test_what_is_returned_is_on_the_grid_and_misclassified_there(
    attack: Attack, bounds: tuple[float, float], dtype: torch.dtype
) -> None:
    extent, net, x = bounds[1] - bounds[0], network().to(dtype), images()
    model = lambda z: 4 * net((z - bounds[0]) / extent)  # noqa: E731
    x = (x * extent + bounds[0]).to(dtype)
    y = model(x).argmax(1)
    result = attack(model, x, y, bounds=bounds, batch_size=16)
    at = levels(result.adv.double(), bounds)
    assert float((at - at.round()).abs().max()) < 1e-3
    exact = torch.round(at) / 255 * extent + bounds[0]
    assert float(result.success.float().mean()) > 0.7
    assert torch.equal(model(exact.to(dtype)).argmax(1) != y, model(result.adv).argmax(1) != y)
    assert bool((model(exact.to(dtype)).argmax(1) != y)[result.success].all())
    if isinstance(attack, PGD):
        assert float(result.distance.max()) <= attack.epsilon + 1e-6


@pytest.mark.parametrize("refine", [False, True])
def test_rounding_alone_would_lose_many_and_the_search_lengthens_little(refine: bool) -> None:
    model, x = network(), images(100)
    y = model(x).argmax(1)
    plain = DeepFool(refine=refine)(model, x, y)
    discrete = DeepFool(refine=refine, discrete=True)(model, x, y)
    rounded = (plain.adv * 255).round() / 255
    lost = plain.success & (model(rounded).argmax(1) == y)
    assert int(lost.sum()) > 10
    assert bool(discrete.success[plain.success].all())
    ratio = discrete.distance[plain.success] / plain.distance[plain.success]
    assert float(ratio.median()) < 1.05


def test_on_a_linear_network_it_is_the_nearest_whole_level_by_brute_force() -> None:
    w = torch.tensor([3.0, -1.0, 2.0, 0.5], dtype=torch.float64)
    model = lambda z: torch.stack([z.flatten(1) @ w - 1.0, -(z.flatten(1) @ w - 1.0)], 1)  # noqa: E731
    x = torch.tensor([[100, 60, 90, 30], [20, 40, 60, 200], [130, 70, 60, 50]]).double().view(3, 1, 2, 2) / 255
    y = model(x).argmax(1)
    result = DeepFool(discrete=True)(model, x, y)
    assert result.success.all()
    for i in range(3):
        direction = w * (1 if y[i] == 1 else -1) / w.abs().max()
        for weight in itertools.count(0, 1 / 64):  # in levels
            nearest = ((x[i].flatten() * 255 + weight * direction).round() / 255).clamp(0, 1).view(1, 1, 2, 2)
            if int(model(nearest).argmax(1)) != int(y[i]):
                break
        assert float((result.adv[i] - x[i]).norm()) == pytest.approx(float((nearest - x[i]).norm()), abs=1.01 / 255)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_in_grey_levels_fills_its_ball(norm: Any) -> None:
    model, x = network(), images()
    y = model(x).argmax(1)
    epsilon = 0.03 if norm == "linf" else 0.3  # 7.65 levels: 7 are inside
    result = PGD(norm=norm, epsilon=epsilon, discrete=True, random_start=False)(model, x, y)
    moved = (result.adv - x).flatten(1)
    length = moved.abs().amax(1) if norm == "linf" else moved.norm(dim=1)
    assert float(length.max()) <= epsilon + 1e-9
    assert float(length.min()) >= (7 / 255 - 1e-9 if norm == "linf" else 0.9 * epsilon)
    outside = x.clone()
    outside[0, 0, 0, 0] += 0.4 / 255  # an image that is not in whole grey levels itself
    again = PGD(norm=norm, epsilon=epsilon, discrete=True)(model, outside, y)
    assert float(((again.adv * 255) - (again.adv * 255).round()).abs().max()) < 1e-6


def test_it_is_the_rounding_of_the_attacks_along_one_gradient() -> None:
    model, x = network(), images()
    y = model(x).argmax(1)
    adv = FGS(discrete=True)(model, x, y).adv
    assert torch.equal(in_grey_levels(adv, (0.0, 1.0)), adv)


def test_grey_levels_need_the_pixel_range() -> None:
    with pytest.raises(ArgumentError, match="set clip=each"):
        DeepFool(discrete=True, clip="none")
