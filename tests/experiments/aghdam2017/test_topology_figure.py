"""The figures of topology: against the radius, and against depth with all controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import PathCollection
from torch import nn

from advlab.config import components
from tests.helpers.networks import LinearFeatures

Topology = components.REGISTRIES["experiment"].load("topology")


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_the_figure_has_a_panel_a_run_and_reading(
    around: Any, measured: Callable[..., pd.DataFrame], runs: int
) -> None:
    found = measured(around("topology", LinearFeatures(torch.eye(36)[:9])))
    frames = [found.assign(run=f"network {n} $x$ <b>") for n in range(runs)]
    figure = Topology(Topology.Params()).plot(pd.concat(frames))
    figure.canvas.draw()
    panels = [axis for axis in figure.axes if axis.axison and axis.get_xlabel()]
    assert len(panels) == 2 * runs
    for axis in panels:
        dots = [c for c in axis.collections if isinstance(c, PathCollection)]
        assert [len(np.asarray(c.get_offsets())) for c in dots] == [9]  # one for each (sample, radius)
        assert axis.get_yscale() == "symlog"
        assert len(axis.lines) == 3


def test_against_depth_every_control_has_a_line_of_its_medians(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.Tanh(), nn.Linear(16, 9), nn.Tanh(), nn.Linear(9, 5))
    found = measured(around("topology", network, layer=["all"], params={"permutations": 9})).assign(run="one")
    assert found["source"].nunique() == 5
    figure = Topology(Topology.Params()).plot(found)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["network", "its linearisation at $x$", "random linear map", "random layers", "random layers, ReLU"]
    own = found[(found["norm"] == "l2") & (found["source"] == "random layers, relu")]
    medians = own.groupby("depth")["mantel_r"].median()
    assert np.asarray(figure.axes[0].lines[4].get_ydata()) == pytest.approx(medians.to_numpy(), nan_ok=True)
