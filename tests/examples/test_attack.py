"""The example of an attack: on a linear network it succeeds exactly where the margin allows, and advlab measures its length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import advlab
from advlab.config import components
from advlab.engine.units import prepared_run
from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended

RUN = "outputs/attack_survey/digits-lenet-margin_step/v001"


def margin_step(epsilon: float) -> Any:
    return components.REGISTRIES["attack"].load("margin_step")(epsilon=epsilon)


@pytest.mark.parametrize("epsilon", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 3.0)])
def test_it_succeeds_where_the_margin_is_within_reach(
    epsilon: float, bounds: tuple[float, float], loaded: Callable[[str], None]
) -> None:
    """Two classes and a linear network: a step of length e raises the margin by e times the l1 norm of the difference."""
    loaded("attack")
    torch.manual_seed(0)
    head = nn.Linear(9, 2).double()
    extent = bounds[1] - bounds[0]
    x = bounds[0] + extent * (
        0.3 + 0.4 * torch.rand(200, 1, 3, 3).double()
    )  # far enough from the bounds: nothing is clipped
    logits = head(x.flatten(1)).detach()
    labels, margin = logits.argmax(1), (logits[:, 0] - logits[:, 1]).abs()
    reach = epsilon * extent * float((head.weight[0] - head.weight[1]).detach().abs().sum())
    result = margin_step(epsilon)(nn.Sequential(nn.Flatten(), head), x, labels, bounds=bounds)
    assert result.success.tolist() == (margin < reach).tolist()
    assert 0 < int(result.success.sum()) < 200 or epsilon == 0.2
    assert result.distance.tolist() == pytest.approx([epsilon] * 200)


def test_targets_are_reached(loaded: Callable[[str], None]) -> None:
    loaded("attack")
    head = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(4))
    x = torch.tensor([[0.6, 0.5, 0.45, 0.1]]).view(1, 1, 2, 2)
    network, label = nn.Sequential(nn.Flatten(), head), torch.tensor([0])
    assert margin_step(0.1)(network, x, label, targets=torch.tensor([2])).prediction.tolist() == [2]
    assert margin_step(0.1)(network, x, label).prediction.tolist() == [1]
    assert not bool(margin_step(0.1)(network, x, label, targets=torch.tensor([3])).success)


def test_a_length_out_of_range_is_refused(plugin: Callable[..., list[str]], cli: Callable[..., Ended]) -> None:
    ended = cli(*plugin("attack"), "attack=margin_step", "attack.epsilon=0", "experiment=attack_survey")
    assert ended.code == 2
    assert "epsilon must be above 0 and at most 1, got 0" in ended.err


def test_a_run_gives_the_step_by_hand(
    plugin: Callable[..., list[str]], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(
        *plugin("attack"), "attack=margin_step", "attack.epsilon=0.15", "experiment=attack_survey", "experiment.samples=40",
        "run.preset=tiny",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    table = advlab.load(RUN).table
    directory = RunDirectory(tmp_path / RUN)
    ctx: Any = prepared_run(directory.nodes(), directory.plan()).ctx
    x, labels = ctx.images_and_labels(table["sample"].tolist())
    leaf = x.clone().requires_grad_()
    logits = ctx.classifier(leaf)
    rival = logits.detach().scatter(1, labels[:, None], -torch.inf).argmax(1)
    rows = torch.arange(len(x))
    (logits[rows, rival] - logits[rows, labels]).sum().backward()
    assert leaf.grad is not None
    adv = (x + 0.15 * leaf.grad.sign()).clamp(0, 1)
    eligible = torch.tensor(table["eligible"].tolist())
    prediction = ctx.classifier(adv).argmax(1)[eligible]
    assert table["prediction"][table["eligible"]].tolist() == prediction.tolist()
    assert table["linf"][table["eligible"]].tolist() == pytest.approx([0.15] * int(eligible.sum()), abs=1e-6)
    assert 0.2 < float(table["success"].mean()) < 1
