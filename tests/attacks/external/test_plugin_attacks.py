"""A user's own attack: its keys, its traits, what it is handed, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import advlab
from advlab.attacks.results import AttackResult
from advlab.config import components
from advlab.config.identity import archived_parameters
from advlab.config.schema import construct
from advlab.errors import ConfigError
from tests.helpers.commands import Ended

MINE = """
from __future__ import annotations
from typing import Literal
import advlab

@advlab.attack("mine", norm="linf")
def mine(model, x, y, *, targets=None, bounds, steps: int = 10, way: Literal["up", "down"] = "up"):
    '''A step of one's own.'''
    return x
"""


def build(name: str, **options: Any) -> Any:
    """The registered attack, as a configuration builds it."""
    return construct(components.REGISTRIES["attack"].load(name), options, "attack")


def linear() -> nn.Module:
    """Two classes, told apart by the sum of 4 pixels against 2."""
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0] * 4, [1.0] * 4]))
        layer.bias.copy_(torch.tensor([2.0, 0.0]))
    return nn.Sequential(nn.Flatten(), layer).train()


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Two dark images, a bright one, and one whose label is wrong."""
    x = torch.tensor([0.1, 0.4, 0.8, 0.9])[:, None, None, None].expand(4, 1, 2, 2).contiguous()
    return x, torch.tensor([0, 0, 1, 0])


def test_it_is_called_counted_clipped_and_classified_again() -> None:
    seen: list[tuple[Any, ...]] = []

    @advlab.attack("shift", norm="linf", minimal=True)
    def shift(
        model: Callable[..., Any], x: torch.Tensor, y: torch.Tensor, *, bounds: Any, size: float = 0.3
    ) -> torch.Tensor:
        seen.append((len(x), bounds, y.tolist()))
        x = x.clone().requires_grad_()
        nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        return x + size * x.grad.sign()

    x, y = images()
    model = linear()
    attack = build("shift", size=0.35)
    result: AttackResult = attack(model, x, y, batch_size=2)
    assert (attack.label, attack.norm_name, attack.minimal, attack.targeted) == ("shift", "linf", True, "never")
    assert archived_parameters(attack) == {"size": 0.35}
    assert [count for count, _, _ in seen] == [2, 1]  # the last image is not attacked
    assert seen[0][1:] == ((0.0, 1.0), [0, 0])
    assert result.success.tolist() == [False, True, True, False]
    assert result.eligible.tolist() == [True, True, True, False]
    torch.testing.assert_close(result.distance, torch.tensor([0.35, 0.35, 0.35, 0.0]))
    assert (result.forwards, result.backwards) == (4 + 3 + 4, 3)
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    wide = build("shift", size=9.0)(model, x, y)
    assert float(wide.adv.min()) == 0.0
    assert float(wide.adv.max()) == 1.0


def test_targets_are_handed_on() -> None:
    @advlab.attack("aimed")
    def aimed(model: Any, x: torch.Tensor, y: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return targets.to(x)[:, None, None, None].expand_as(x)

    @advlab.attack("either")
    def either(model: Any, x: torch.Tensor, y: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        assert targets is None or targets.tolist() == [1]
        return x

    x, y = images()
    assert build("aimed").targeted == "always"
    assert build("aimed")(linear(), x, y, targets=1 - y).success.tolist() == [True, True, True, False]
    with pytest.raises(ValueError, match="aimed needs targets="):
        build("aimed")(linear(), x, y)
    assert build("either").targeted == "optional"
    assert not build("either")(linear(), x[:1], y[:1], targets=1 - y[:1]).success.any()
    assert not build("either")(linear(), x, y).success.any()


def test_global_draws_are_repeatable_and_leave_no_trace() -> None:
    @advlab.attack("random")
    def random(model: Any, x: torch.Tensor, y: torch.Tensor, seed: int = 0) -> torch.Tensor:
        return x + torch.randn_like(x)

    (x, y), model = images(), linear()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    first, other = build("random")(model, x, y), build("random", seed=1)(model, x, y)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(build("random")(model, x, y).adv, first.adv)
    assert not torch.equal(other.adv, first.adv)


@pytest.mark.parametrize(
    ("value", "words"),
    [("x[:1]", r"shape \(3, 1, 2, 2\), it returned a tensor of shape \(1, 1, 2, 2\)"), ("None", "NoneType")],
)
def test_what_is_no_batch_of_images_is_refused(value: str, words: str) -> None:
    @advlab.attack("broken")
    def broken(model: Any, x: torch.Tensor, y: torch.Tensor) -> Any:
        return {"x[:1]": x[:1], "None": None}[value]

    with pytest.raises(ValueError, match=f"the attack broken must return images of {words}|{words}"):
        build("broken")(linear(), *images())


def test_nan_is_counted_and_the_image_left_alone() -> None:
    @advlab.attack("nan")
    def nan(model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x[0] = torch.nan
        return x

    x, y = images()
    result = build("nan")(linear(), x, y)
    assert torch.equal(result.adv, x)
    assert result.status.tolist() == [6, 4, 4, 1]


def test_on_the_command_line(shell: Callable[..., Ended], cli: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(MINE)
    (tmp_path / "torchless.py").write_text("import sys\n" + "assert 'torch' not in sys.modules\n")
    ended = shell("describe", "mine", "--plugin", "plug.py", "--plugin", "torchless.py")
    assert ended.code == 0, ended.err
    for words in ("A step of one's own.", "steps = 10", "way = "):
        assert words in ended.out
    assert "mine" in cli("list", "--plugin", "plug.py").out
    for options, words in (
        ({"stesp": 3}, "Did you mean steps"),
        ({"steps": "x"}, "whole number"),
        ({"way": "on"}, "up"),
    ):
        with pytest.raises(ConfigError, match=words):
            build("mine", **options)
    assert archived_parameters(build("mine", steps=3)) == {"steps": 3, "way": "up"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@advlab.attack('pgd')\ndef f(model, x, y): ...\n", ["the attack name 'pgd'", "taken"]),
        ("@advlab.attack('hot_cold')\ndef f(model, x, y): ...\n", ["the attack name 'hot_cold'", "taken"]),
        ("@advlab.attack('a b')\ndef f(model, x, y): ...\n", ["use letters, digits"]),
        ("@advlab.attack('f')\ndef f(model, x): ...\n", ["must take (model, images, labels) first"]),
        ("@advlab.attack('f')\ndef f(model, x, targets): ...\n", ["must take (model, images, labels) first"]),
        ("@advlab.attack('f', norm='l3')\ndef f(model, x, y): ...\n", ["norm='l3'", "l2 or linf"]),
        ("@advlab.attack('f')\ndef f(model, x, y, name=1): ...\n", ["'name'", "rename"]),
    ],
)
def test_a_wrong_registration_is_one_message(
    text: str, words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "plug.py").write_text("import advlab\n" + text)
    ended = cli("--plugin", "plug.py", "list")
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
