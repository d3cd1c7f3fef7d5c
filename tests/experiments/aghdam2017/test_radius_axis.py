"""An axis of radii: epsilon stands apart where it would coincide with 0, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.aghdam2017.figures.radius_axis import RadiusAxis
from matplotlib.figure import Figure


def test_epsilon_stands_apart_and_all_else_where_it_is() -> None:
    radii = RadiusAxis([0.1, *range(1, 21)])
    assert radii.broken
    places = radii.places(pd.Index(radii.radii))
    assert places[1:].tolist() == list(range(1, 21))
    assert places[0] < 0  # left of 1 by more than a step
    axis: Any = Figure().subplots()
    radii.label(axis)
    assert [text.get_text() for text in axis.get_xticklabels()][:2] == ["0.1", "1"]
    assert axis.get_xticks()[0] == places[0]
    assert [text.get_text() for text in axis.texts] == ["//"]
    x, y = radii.curve(pd.Series([5.0, 6.0, 7.0], index=[0.1, 1, 2]))
    assert np.isnan(x[1])  # no line leads over the break
    assert y[[0, 2, 3]].tolist() == [5, 6, 7]


@pytest.mark.parametrize("radii", [[0.1], [5, 10], [0.1, 1], [0.5, 1, 2, 4], [0.9, 1, 20]])
def test_other_radii_stand_on_a_plain_axis(radii: list[float]) -> None:
    plain = RadiusAxis(radii)
    assert not plain.broken
    assert plain.places(pd.Index(radii)).tolist() == radii
    axis: Any = Figure().subplots()
    plain.label(axis)
    assert not axis.texts
    x, _ = plain.curve(pd.Series(1.0, index=radii))
    assert x.tolist() == radii
