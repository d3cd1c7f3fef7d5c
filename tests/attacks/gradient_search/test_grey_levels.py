"""Perturbations in whole grey levels, and the unit of the pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from advlab.attacks import FGS, FGV, HotCold
from advlab.attacks.gradient_search.params import GradientSearch
from tests.helpers.networks import relu_setting

STEP = 1 / 255


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("attack", [FGS(discrete=True), FGV(discrete=True), HotCold(hot=0, discrete=True)])
def test_whole_grey_levels(attack: GradientSearch, bounds: tuple[float, float]) -> None:
    network, x, y = relu_setting(2, 30)
    network, extent = network.float(), bounds[1]
    x = ((x * 255).round() * extent / 255).float()

    def model(images: Tensor) -> Tensor:
        seen.append(images.detach().clone())
        return network(images / extent)

    seen: list[Tensor] = []
    with torch.no_grad():
        y = network(x / extent).argmax(1)
    result = attack(model, x, y, bounds=bounds)
    assert int(result.success.sum()) > 15
    levels = result.adv / extent * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4
    if extent == 255:
        assert torch.equal(result.adv, result.adv.round())
    assert 0 <= float(levels.min()) <= float(levels.max()) <= 255
    with torch.no_grad():
        assert torch.equal((network(result.adv / extent).argmax(1) != y), result.success)
    # one grey level less on each pixel that moves does not flip (FGS: the steps are grey levels)
    if isinstance(attack, FGS):
        moved = (result.adv - x).sign()
        less = (result.adv - moved * extent / 255)[result.success]
        same = (x + moved * result.distance[:, None, None, None] * extent)[result.success]
        whole = ((same >= 0) & (same <= extent)).flatten(1).all(1)  # nothing was clipped
        with torch.no_grad():
            assert torch.equal(network(less / extent).argmax(1)[whole], y[result.success][whole])
    if isinstance(attack, FGS):  # no image is classified twice in the search
        looked = torch.cat(seen[2:-1]).flatten(1)  # after the check and the gradient, before the last check
        assert len(looked.unique(dim=0)) == len(looked)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("seed", [0, 2, 3])
@pytest.mark.parametrize("attack", [FGS(discrete=True), FGV(discrete=True), HotCold(hot=0, discrete=True)])
def test_grey_levels_are_the_same_in_any_pixel_unit(attack: GradientSearch, seed: int, dtype: torch.dtype) -> None:
    """Also where the search looks at half a grey level, which float rounding would decide pixel by pixel."""
    network, x, _ = relu_setting(seed, 60)
    network, x = network.to(dtype), ((x * 255).round() / 255).to(dtype)
    with torch.no_grad():
        y = network(x).argmax(1)
    unit = attack(network, x, y)
    grey = attack(lambda images: network(images / 255), x * 255, y, bounds=(0, 255))
    differing = (unit.adv * 255).round() != grey.adv.round()
    assert int(differing.sum()) <= (0 if isinstance(attack, FGS) or dtype == torch.float64 else 3)  # of 3840 pixels
    assert torch.equal(unit.status, grey.status)
    assert torch.allclose(unit.epsilon, grey.epsilon, rtol=0, atol=1.1 * STEP / 2**8, equal_nan=True)


def test_a_given_epsilon_is_rounded_as_it_is() -> None:
    """Two and a half grey levels on odd grey levels: to the even neighbour, which is three levels away."""
    network, x, _ = relu_setting(2, 30)
    x = (x * 99).floor() * 2 + 11  # odd, nothing is clipped
    with torch.no_grad():
        y = network(x / 255).argmax(1)
    result = FGS(discrete=True, epsilon=2.5 / 255)(lambda images: network(images / 255), x, y, bounds=(0, 255))
    assert set((result.adv - x).abs().unique().tolist()) <= {0.0, 3.0}
    assert float(((result.adv - x).abs() == 3).double().mean()) > 0.9
