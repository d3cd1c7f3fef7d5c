"""Settings for the cases of the attacks' contract: a small random network, and two opposite linear logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from advlab.attacks import Library
from tests.helpers.attack_cases import CLASSES, Case, Setting


@pytest.fixture(autouse=True)
def _peers(request: pytest.FixtureRequest) -> None:
    """Attacks of a library need it."""
    case = request.node.callspec.params.get("case") if hasattr(request.node, "callspec") else None
    if case is not None and isinstance(case.attack, Library):
        pytest.importorskip(case.attack.library)


@pytest.fixture
def setting(network: Callable[..., nn.Sequential]) -> Callable[..., Setting]:
    """(case, images, shape, dtype) to a setting."""

    def make(case: Case, n: int = 8, shape: tuple[int, int, int] = (2, 5, 9), dtype: Any = torch.float64) -> Setting:
        model = network(shape, CLASSES)
        generator = torch.Generator().manual_seed(n)
        x = (torch.rand((n, *shape), generator=generator, dtype=torch.float64) * 1.2 - 0.1).clamp(
            0, 1
        )  # some saturated
        x = ((x * 255).round() / 255).float().to(dtype)  # the same images in either precision
        model = model.to(dtype)
        with torch.no_grad():
            y = model(x).argmax(1)
        if n > 3:
            y[-1] = (y[-1] + 1) % CLASSES
        return Setting(model, x, y, {"targets": (y + 2) % CLASSES} if case.targeted else {})

    return make


@pytest.fixture
def two_sided(linear: type[nn.Module]) -> Callable[..., tuple[Setting, dict[str, float]]]:
    """Two opposite logits +-(w.x + b), all images of class 0 at one distance: every gradient is the normal w."""

    def make(case: Case, n: int = 4, dtype: Any = torch.float64) -> tuple[Setting, dict[str, float]]:
        generator = torch.Generator().manual_seed(1)
        w = torch.empty(24, dtype=torch.float64).uniform_(0.5, 1.5, generator=generator)
        w[::2] *= -1
        x = torch.empty((n, 2, 3, 4), dtype=torch.float64).uniform_(0.4, 0.6, generator=generator)
        offset = 0.12 * w.abs().sum()
        x += ((0 - x.flatten(1) @ w) / (w @ w))[:, None, None, None] * w.view(2, 3, 4)  # onto the plane w.x = 0
        assert 0.25 < x.min() < x.max() < 0.75
        model = linear(torch.stack([w, -w]), torch.stack([offset, -offset])).to(dtype)
        y = torch.zeros(n, dtype=torch.int64)
        optimum = {"l2": float(offset / w.norm()), "linf": 0.12}
        optimum["weight"] = optimum["l2"] * float(w.abs().max() / w.norm())  # largest pixel of the shortest in L2
        return Setting(model, x.to(dtype), y, {"targets": y + 1} if case.targeted else {}), optimum

    return make
