"""What is refused before the work begins: hyperparameters beyond the classes, and models that give no logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import Fooling, HotCold
from advlab.attacks.ascent.fooling.algorithm import fooling_levels
from advlab.config.components import REGISTRIES
from advlab.engine import runner
from tests.helpers.commands import Ended


def test_ranks_beyond_the_classes_are_refused() -> None:
    for hot, classes in ((0, 2), (1, 2), (9, 10)):
        HotCold(hot=hot).check_classes(classes)
    for hot, classes in ((2, 2), (10, 10), (12, 10)):
        with pytest.raises(ValueError, match=f"hot={hot}: .*hot={classes - 1} is the last"):
            HotCold(hot=hot).check_classes(classes)


@pytest.mark.parametrize("name", sorted(set(REGISTRIES["attack"].names()) - {"none"}))
def test_what_is_given_by_default_fits_two_classes(name: str) -> None:
    REGISTRIES["attack"].load(name)().check_classes(2)


def test_a_survey_refuses_them_before_it_loads_anything(
    cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "execute", lambda *_, **__: pytest.fail("the run has begun"))
    ended = cli("experiment=attack_survey", "attack=hc1", "attack.hot=12")
    assert ended.code == 2
    assert "hot=12: besides the label the model has 9 classes, hot=9 is the last" in ended.err
    wider = cli(
        "experiment=attack_survey", "attack=hc1", "attack.hot=12", "model=lenet", "model.classes=2", "run.dry=true"
    )
    assert wider.code == 2
    assert "hot=1 is the last" in wider.err


def levels(model: Any, **changes: Any) -> dict[float, Any]:
    options = {"starts": torch.rand(5, 1, 3, 3), "targets": torch.tensor([0, 1, 2, 0, 1]), **changes}
    return fooling_levels(Fooling(max_iter=2), model, **options)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 3))


@pytest.mark.parametrize("size", [0, 2], ids=["one batch", "batches"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda z: (z, z), "it gives a tuple"),
        (lambda z: z.numpy(), "it gives a ndarray"),
        (lambda z: z[:, 0], r"it gives \(\d,\) for \d images"),
        (lambda z: z[:1], r"it gives \(1, 3\) for \d images"),
        (lambda z: z.softmax(1), "gives probabilities"),
        (lambda z: z[:, :2], "targets hold the class 2"),
    ],
)
def test_levels_need_logits(spoil: Callable[[Tensor], Any], said: str, size: int) -> None:
    inner = network()
    with pytest.raises(ValueError, match=said):
        levels(lambda x: spoil(inner(x)), batch_size=size)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"levels": ()}, "levels is empty"),
        ({"levels": (0.5, 1.0)}, "level must be above 0 and below 1, got 1.0"),
        ({"batch_size": -1}, "batch_size must be 0"),
        ({"targets": torch.tensor([0, 1])}, r"targets must be whole numbers of shape \(5,\)"),
        ({"targets": [0, 1, 2, 0, 1]}, "targets must be a tensor, got list"),
        ({"targets": None}, "needs targets="),
        ({"starts": [[0.0]]}, "inputs must be a tensor, got list"),
        ({"starts": torch.rand(5, 9)}, "images of shape"),
    ],
)
def test_wrong_arguments_of_levels(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        levels(network(), **changes)
