"""Every attack on the device gives the images that it gives on the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from advlab.attacks import UAP, Library
from tests.helpers.attack_cases import CLASSES, Case, every
from tests.helpers.networks import make_network
from tests.helpers.two_devices import is_pretended


def setting(device: torch.device | str) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A float32 network with eight images of its classes, of which the last has a wrong label."""
    network = make_network((2, 5, 9), CLASSES).float()
    x = torch.rand((8, 2, 5, 9), generator=torch.Generator().manual_seed(8)).mul(255).round() / 255
    with torch.no_grad():
        y = network(x).argmax(1)
    y[-1] = (y[-1] + 1) % CLASSES
    return network.to(device), x.to(device), y.to(device)


@every
def test_an_attack(case: Case, request: pytest.FixtureRequest) -> None:
    if isinstance(case.attack, Library):
        pytest.importorskip(case.attack.library)
    results = []
    for device in ("cpu", "cuda"):
        if device == "cuda":
            request.getfixturevalue("cuda")
        network, x, y = setting(device)
        y = y.cpu()  # as a dataset in files has them
        extra: dict[str, Any] = {"targets": (y + 2) % CLASSES} if case.targeted else {}
        extra |= {"held_out": x.cpu()} if isinstance(case.attack, UAP) else {}
        torch.manual_seed(0)  # for libraries, which draw from the global state
        results.append(case.attack(network, x, y, **extra))
    here, there = results
    for name in ("adv", "success", "status", "prediction", "steps"):
        assert getattr(there, name).device.type == "cuda", name
    agree = ((here.adv - there.adv.cpu()).abs().flatten(1).amax(1) < 1e-4) & (here.status == there.status.cpu())
    own_numbers = isinstance(case.attack, Library) and not is_pretended()
    assert own_numbers or agree.double().mean() >= (1.0 if is_pretended() else 0.75)
    assert bool(((there.adv >= 0) & (there.adv <= 1)).all()) or getattr(case.attack, "clip", "") == "none"


@pytest.mark.parametrize(
    ("library", "attack"), [("foolbox", "L2DeepFoolAttack"), ("torchattacks", "DeepFool"), ("art", "DeepFool")]
)
def test_an_attack_of_each_library(library: Any, attack: str, cuda: torch.device) -> None:
    pytest.importorskip(library)
    network, x, y = setting(cuda)
    result = Library(library=library, attack=attack)(network, x, y)
    assert result.adv.device.type == "cuda"
    with torch.no_grad():
        moved = network(result.adv).argmax(1) != y
    assert torch.equal(result.success[:-1], moved[:-1])
    assert int(result.success.sum()) >= 6  # of 7 that are classified correctly; ART's loses one
