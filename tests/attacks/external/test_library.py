"""Attacks of other libraries: what comes back is verified and counted, and what is wrong is named.

Longer than other files: one network and one table of attacks serve the tests of four libraries.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from advlab.attacks import Library
from advlab.attacks.logits import margin
from advlab.config.identity import archived_parameters
from advlab.config.schema import construct
from advlab.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "attack"
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
    ("adv_lib", "ddn", {"steps": 20, "gamma": 0.1}, 0.0, "l2", True),
    ("adv_lib", "pgd_linf", {"epsilon": 0.3, "steps": 40}, 0.0, "linf", True),
    ("adv_lib", "apgd", {"eps": 0.3, "norm": float("inf"), "n_iter": 10}, 0.0, "linf", True),
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
    length = epsilon or options.get("eps") or options.get("epsilon")
    if length:
        assert float(result.distance.max()) <= length + 1e-5
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
        ("torchattacks", "APGD", {"eps": 0.3, "steps": 2}),
        ("torchattacks", "Square", {"eps": 0.3, "n_queries": 5}),
        ("art", "ProjectedGradientDescent", {"eps": 0.3, "max_iter": 1, "num_random_init": 1}),
        ("adv_lib", "pgd_linf", {"epsilon": 0.3, "steps": 1}),
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
        ("adv_lib", "DDN", {}, 0, ["adv_lib has no attack 'DDN'", "ddn"]),
        ("adv_lib", "ddn", {"gama": 0.1}, 0, ["has no option 'gama'", "Did you mean gamma"]),
        ("adv_lib", "ddn", {"targeted": True}, 0, ["give targets to the attack"]),
        ("adv_lib", "ddn", {"inputs": 1}, 0, ["has no option 'inputs'"]),
        ("adv_lib", "apgd", {"norm": 2}, 0, ["needs the option eps: type attack.options.eps="]),
        ("adv_lib", "pgd_linf", {}, 0, ["needs the option epsilon: type attack.options.epsilon="]),
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


@pytest.mark.parametrize("library", ["foolbox", "torchattacks", "art", "adv_lib"])
def test_a_missing_library_says_how_it_is_installed(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"foolbox": "foolbox.attacks", "art": "art.attacks.evasion", "adv_lib": "adv_lib.attacks"}
    monkeypatch.setitem(sys.modules, modules.get(library, library), None)
    model = Net()
    x, y, _ = data(model)
    command = "pip install --no-deps adv-lib" if library == "adv_lib" else r'pip install "advlab\[peers\]"'
    with pytest.raises(ValueError, match=command):
        Library(library=library, attack="DeepFool")(model, x, y)


def test_it_is_archived_with_its_options() -> None:
    node = {"library": "art", "attack": "DeepFool", "options": {"max_iter": 5}, "norm": "linf"}
    assert archived_parameters(construct(Library, node, "attack")) == {
        **node, "draws": 10, "epsilon": 0.0, "options_for": "", "seed": 0,
    }  # fmt: skip


class Labelled(Tensor):
    """A tensor of a class of its own, as torchvision's and others' are."""


@pytest.mark.parametrize(
    ("library", "name"),
    [("foolbox", "L2DeepFoolAttack"), ("torchattacks", "DeepFool"), ("art", "DeepFool"), ("adv_lib", "ddn")],
)
def test_tensors_of_another_class_are_attacked_as_plain_ones(library: Any, name: str) -> None:
    needs(library)
    model = Net().eval()
    x, y, _ = data(model)
    model.eval()
    attack = Library(library=library, attack=name)
    plain = attack(model, x, y)
    other = attack(lambda images: model(images).as_subclass(Labelled), x.as_subclass(Labelled), y.as_subclass(Labelled))
    assert bool(plain.success.any())
    assert torch.equal(other.adv.as_subclass(Tensor), plain.adv)


def test_options_reach_adv_lib_under_either_spelling() -> None:
    needs("adv_lib")
    model = Net().eval()
    x, y, _ = data(model)
    model.eval()
    distances = [
        Library(library="adv_lib", attack="ddn", options=options)(model, x, y).distance
        for options in ({"gamma": 0.3, "steps": 15}, {"γ": 0.3, "steps": 15}, {"steps": 15})
    ]
    assert torch.equal(distances[0], distances[1])
    assert not torch.equal(distances[0], distances[2])


def test_auto_attack_aims_at_the_classes_that_there_are() -> None:
    needs("torchattacks")
    model = Net().eval()
    x, y, _ = data(model)
    attack = Library(library="torchattacks", attack="AutoAttack", options={"eps": 0.3}, norm="linf")
    result = attack(model.eval(), x[:3], y[:3])  # its default of ten classes would be out of range
    assert result.success.all()
    assert float(result.distance.max()) <= 0.3 + 1e-5


def test_options_of_one_attack_are_not_given_to_another() -> None:
    node = {"library": "art", "attack": "CarliniL2Method", "options": {"max_iter": 50}, "options_for": "DeepFool"}
    with pytest.raises(
        ConfigError, match=r"are for DeepFool, .*attack=library attack.library=art attack.attack=CarliniL2Method"
    ):
        construct(Library, node, "attack")
    for name in ("foolbox_deepfool", "torchattacks_deepfool"):
        text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
        assert "options" not in yaml.safe_load(text), "they would be given to another attack of that library, too"
