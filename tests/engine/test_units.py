"""A unit of a run that has a network: weights and data are those of the plan, and the network is frozen meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from advlab.config import components
from advlab.engine import units
from advlab.engine.units import work
from advlab.errors import ResultError
from advlab.lab import Cell, NetworkContext
from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended


@pytest.fixture
def run(cli: Callable[..., Ended], tmp_path: Path) -> RunDirectory:
    probe = ["probe.radii=[1]", "probe.trials=4", "probe.confidence=0"]
    ended = cli("recipe.epochs=1", "run.preset=tiny", "run.cache_root=c", *probe)
    assert ended.code == 0, ended.err
    units._prepared.clear()
    return RunDirectory(tmp_path / "outputs/isotropy/digits-lenet/v001")


@pytest.mark.parametrize(
    ("key", "said"),
    [("weights", "the weights of lenet are not those"), ("data", "the images of digits/test are not those")],
)
def test_other_weights_or_data_than_the_plans_are_refused(key: str, said: str, run: RunDirectory) -> None:
    nodes, plan = run.nodes(), run.plan()
    (cell,) = plan["cells"]
    rows = work(nodes, plan, f"cell:{cell}").rows
    assert [row.sample for row in rows] == [row.sample for row in run.read_cell(cell, type(rows[0])) or []]
    with pytest.raises(ResultError, match=said):
        work(nodes, {**plan, key: "0" * 64}, f"cell:{cell}")


def test_the_network_is_frozen_while_a_unit_is_measured(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = components.REGISTRIES["experiment"].load("isotropy")
    seen: list[tuple[bool, bool]] = []

    def measure(self: Any, ctx: NetworkContext, cell: Cell) -> list[Any]:
        modules, parameters = list(ctx.classifier.modules()), list(ctx.classifier.parameters())
        seen.append((any(module.training for module in modules), any(p.requires_grad for p in parameters)))
        return []

    nodes, plan = run.nodes(), run.plan()
    units.prepared_run(nodes, plan).ctx.classifier.train()  # type: ignore[attr-defined]  # of a NetworkContext
    monkeypatch.setattr(experiment, "measure", measure)
    work(nodes, plan, f"cell:{plan['cells'][0]}")
    assert seen == [(False, False)]
    assert torch.is_grad_enabled()
    units._prepared.clear()
