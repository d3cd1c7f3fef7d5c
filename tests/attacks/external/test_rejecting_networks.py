"""Attacks from elsewhere on a network of three classes that rejects: whatever the label's number, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.attacks import Library
from advlab.attacks.external.plugin.params import PluginAttack
from advlab.attacks.status import Status
from tests.helpers.long_cases import one_in
from tests.helpers.rejecting import Cautious, at_first_pixels

PEERS = [
    ("foolbox", "L2DeepFoolAttack", {}, False),
    ("foolbox", "L2CarliniWagnerAttack", {"steps": 200, "stepsize": 0.05}, True),
    ("torchattacks", "DeepFool", {}, False),
    ("torchattacks", "PGD", {"eps": 0.6, "alpha": 0.05, "steps": 40}, True),
    ("art", "DeepFool", {}, False),
    ("art", "FastGradientMethod", {"eps": 0.9, "minimal": True, "eps_step": 0.05}, True),
]
STARTS = (0.1, 0.2, 0.25)


class Banded(Cautious):
    """`Cautious`, whose classes are `low` below .3 and `high` above .7, of three; the third is never the largest."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        two = super().forward(x)
        logits = torch.full_like(two[:, :1], -30.0).repeat(1, 4)
        logits[:, self.low], logits[:, self.high], logits[:, 3] = two[:, 0], two[:, 1], two[:, 2]
        return logits


@pytest.mark.parametrize(("low", "high"), one_in(3, [(2, 0), (0, 2), (1, 0)]))
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(("library", "name", "options", "aims"), PEERS, ids=[f"{p[0]}-{p[1]}" for p in PEERS])
def test_a_librarys_attack_goes_past_the_rejection(
    library: Any, name: str, options: dict[str, Any], aims: bool, low: int, high: int, targeted: bool
) -> None:
    """The nearest image of the other class is at .7; .3 to .7 are rejected."""
    pytest.importorskip(library)
    if targeted and not aims:
        pytest.skip("it takes no targets")
    x = at_first_pixels(*STARTS).float()
    labels = torch.full((3,), low)
    targets = torch.full((3,), high) if targeted else None
    result = Library(library=library, attack=name, options=options)(Banded(low, high), x, labels, targets=targets)
    assert bool(result.eligible.all())
    assert [Status(status).name for status in result.status.tolist()] == ["SUCCESS"] * 3
    assert result.prediction.tolist() == [high] * 3
    reached = result.adv[:, 0, 0, 0]
    assert bool((reached > 0.7).all())
    assert bool((reached < 0.86).all())


@pytest.mark.parametrize(("low", "high"), [(2, 0), (0, 2)])
def test_an_image_that_is_rejected_is_told_to_be_its_label(low: int, high: int) -> None:
    """A plug-in gets one image at a time, and logits of the classes that decide as the network does; others unchanged."""
    seen: list[tuple[int, float, int]] = []

    def walk(model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """The first of some images along the first pixel that the model takes for another class."""
        grid = images.repeat(91, 1, 1, 1)
        grid[:, 0, 0, 0] = torch.linspace(0.1, 1, 91)
        predicted = model(grid).argmax(1)
        seen.extend(zip([len(images)] * 91, grid[:, 0, 0, 0].tolist(), predicted.tolist(), strict=True))
        return grid[(predicted != labels).nonzero()[0]]

    attack = type("walk", (PluginAttack,), {"function": staticmethod(walk)})()
    x = at_first_pixels(*STARTS)
    result = attack(Banded(low, high), x, torch.full((3,), low), batch_size=64)
    assert result.success.tolist() == [True] * 3
    assert result.adv[:, 0, 0, 0].tolist() == pytest.approx([0.71] * 3, abs=0.011)
    assert {images for images, _, _ in seen} == {1}
    assert all(predicted == (high if pixel > 0.7 + 1e-9 else low) for _, pixel, predicted in seen)
