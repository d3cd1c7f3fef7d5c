"""Attacks of other libraries: what comes back is verified and counted, and what is wrong is named."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import Library
from advlab.attacks.logits import margin
from advlab.config.identity import archived_parameters
from advlab.config.schema import construct

K = 4
ROUNDS = [
    ("foolbox", "L2DeepFoolAttack", {"steps": 20}, 0.0, "l2", True),  # it takes targets, though it does not aim
    ("foolbox", "NewtonFoolAttack", {"steps": 20, "stepsize": 0.5}, 0.0, "l2", False),
    ("foolbox", "LinfPGD", {"steps": 10}, 0.3, "linf", True),
    (
        "foolbox",
        "L2CarliniWagnerAttack",
        {"steps": 50, "binary_search_steps": 3, "stepsize": 0.1, "initial_const": 1},
        0.0,
        "l2",
        True,
    ),
    ("foolbox", "L2AdditiveGaussianNoiseAttack", {}, 1.0, "l2", True),
    ("torchattacks", "DeepFool", {"steps": 20}, 0.0, "l2", False),
    ("torchattacks", "PGD", {"eps": 0.3, "alpha": 0.1, "steps": 5}, 0.0, "linf", True),
    ("torchattacks", "FGSM", {"eps": 0.3}, 0.0, "linf", True),
    ("art", "DeepFool", {"max_iter": 20, "batch_size": 8}, 0.0, "l2", False),
    ("art", "ProjectedGradientDescent", {"eps": 0.3, "eps_step": 0.1, "max_iter": 5}, 0.0, "linf", True),
    ("art", "FastGradientMethod", {"eps": 0.3}, 0.0, "linf", True),
]
IDS = [f"{entry[0]}-{entry[1]}" for entry in ROUNDS]


def needs(library: str) -> None:
    """Skip without the library, and say so."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed (extra `peers`)")


class Net(nn.Module):
    """A convolution with batch normalisation and dropout, left in training mode: modes show when they are changed."""

    def __init__(self, low: float = 0.0, extent: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.low, self.extent, self.images = low, extent, 0
        head = nn.Linear(64, K)
        head.weight.data.mul_(4)
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), head)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) logits."""
        self.images += len(x)
        out: Tensor = self.body((x - self.low) / self.extent)
        return out


def data(model: Net) -> tuple[Tensor, Tensor, Tensor]:
    """Twelve images, their predictions, and the next class."""
    x = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * model.extent + model.low
    model.eval()
    with torch.no_grad():
        y = model(x).argmax(1)
    model.train()
    model.images = 0
    return x, y, (y + 1) % K


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(("library", "name", "options", "epsilon", "norm", "aims"), ROUNDS, ids=IDS)
def test_round_trip(
    library: Any, name: str, options: dict[str, Any], epsilon: float, norm: Any, aims: bool, targeted: bool
) -> None:
    needs(library)
    model = Net(-1.0, 2.0)  # pixels in [-1, 1]: an attack that takes them for [0, 1] would stay in half of the box
    x, y, t = data(model)
    attack = Library(library=library, attack=name, options=options, epsilon=epsilon, norm=norm)
    if targeted and not aims:
        with pytest.raises(ValueError, match=f"{library}'s {name} .*takes no targets"):
            attack(model, x, y, targets=t, bounds=(-1, 1))
        return
    modes = [module.training for module in model.modules()]
    result = attack(model, x, y, targets=t if targeted else None, bounds=(-1, 1), batch_size=5)
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert result.forwards == model.images
    assert result.backwards > 0 or "Noise" in name
    assert result.facts["library"] == library
    assert result.facts["version"][0].isdigit()
    assert float(result.adv.min()) >= -1
    assert float(result.adv.max()) <= 1
    model.eval()
    with torch.no_grad():
        reached = margin(model(result.adv), y, t if targeted else None)
    clear = reached.abs() > 1e-5  # DeepFool may stop on the boundary itself
    assert torch.equal(result.success[clear], reached[clear] > 0)
    if not targeted and "Noise" not in name:
        assert result.success.float().mean() >= 0.5
    if "eps" in options or epsilon:
        assert float(result.distance.max()) <= (epsilon or options["eps"]) + 1e-5
        assert float(result.distance.max()) > 0.2  # in units of the bounds' length


@pytest.mark.parametrize("library", ["foolbox", "torchattacks", "art"])
def test_a_function_in_float64_is_attacked_too(library: Any) -> None:
    needs(library)
    model = Net().double().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x, y, _ = data(model.float())
    model.double().eval()
    name = {"foolbox": "L2DeepFoolAttack", "torchattacks": "DeepFool", "art": "DeepFool"}[library]
    result = Library(library=library, attack=name)(lambda images: model(images), x.double(), y)
    assert result.adv.dtype == torch.float64
    assert result.success.float().mean() >= 0.7
    assert len(Library(library=library, attack=name)(lambda images: model(images), x.double()[:0], y[:0]).adv) == 0


@pytest.mark.parametrize(
    ("library", "name", "options"),
    [
        ("foolbox", "L2AdditiveUniformNoiseAttack", {}),
        ("torchattacks", "GN", {"std": 0.3}),
        ("art", "ProjectedGradientDescent", {"eps": 0.3, "max_iter": 1, "num_random_init": 1}),
    ],
)
def test_draws_are_repeatable_and_leave_no_trace(library: Any, name: str, options: dict[str, Any]) -> None:
    needs(library)
    model = Net()
    x, y, _ = data(model)
    epsilon = 1.0 if library == "foolbox" else 0.0
    attack = Library(library=library, attack=name, options=options, epsilon=epsilon)
    torch.manual_seed(1)
    expected, numbers = torch.rand(2), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]  # noqa: NPY002
    torch.manual_seed(1)
    first = attack(model, x, y)
    assert torch.equal(torch.rand(2), expected)
    assert np.random.get_state()[1].tolist() == numbers  # type: ignore[index, union-attr]  # noqa: NPY002
    assert torch.equal(attack(model, x, y).adv, first.adv)
    other = Library(library=library, attack=name, options=options, epsilon=epsilon, seed=1)
    assert not torch.equal(other(model, x, y).adv, first.adv)


@pytest.mark.parametrize(
    ("library", "name", "options", "epsilon", "words"),
    [
        ("foolbox", "L2DeepFool", {}, 0, ["foolbox has no attack 'L2DeepFool'", "L2DeepFoolAttack"]),
        ("torchattacks", "Deepfool", {}, 0, ["Did you mean DeepFool"]),
        ("art", "CarliniL2", {}, 0, ["art has no attack", "CarliniL2Method"]),
        ("foolbox", "FixedEpsilonAttack", {}, 0, ["no attack"]),
        ("foolbox", "L2DeepFoolAttack", {"step": 3}, 0, ["has no option 'step'", "Did you mean steps"]),
        ("torchattacks", "DeepFool", {"model": 3}, 0, ["has no option 'model'"]),
        ("art", "DeepFool", {"maxiter": 3}, 0, ["has no option 'maxiter'", "max_iter"]),
        ("art", "ProjectedGradientDescent", {"targeted": True}, 0, ["give targets to the attack"]),
        ("art", "DeepFool", {"max_iter": -3}, 0, ["art's DeepFool with options {'max_iter': -3} failed"]),
        ("torchattacks", "PGD", {"steps": "x"}, 0, ["torchattacks's PGD", "TypeError"]),
        ("foolbox", "LinfPGD", {}, 0, ["foolbox's LinfPGD", "give epsilon"]),
        ("torchattacks", "PGD", {}, 0.1, ["epsilon is for foolbox", "eps"]),
    ],
)
def test_what_is_wrong_is_named(
    library: Any, name: str, options: dict[str, Any], epsilon: float, words: list[str]
) -> None:
    needs(library)
    model = Net()
    x, y, _ = data(model)
    with pytest.raises(ValueError, match=library) as caught:
        Library(library=library, attack=name, options=options, epsilon=epsilon)(model, x, y)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("library", ["foolbox", "torchattacks", "art"])
def test_a_missing_library_names_the_extra(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"foolbox": "foolbox.attacks", "torchattacks": "torchattacks", "art": "art.attacks.evasion"}[library]
    monkeypatch.setitem(sys.modules, module, None)
    model = Net()
    x, y, _ = data(model)
    with pytest.raises(ValueError, match=r'pip install "advlab\[peers\]"'):
        Library(library=library, attack="DeepFool")(model, x, y)


def test_it_is_archived_with_its_options() -> None:
    node = {"library": "art", "attack": "DeepFool", "options": {"max_iter": 5}, "norm": "linf"}
    assert archived_parameters(construct(Library, node, "attack")) == {**node, "draws": 10, "epsilon": 0.0, "seed": 0}
