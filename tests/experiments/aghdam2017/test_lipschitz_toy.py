"""Figure 5 of aghdam2017: derivatives by finite differences, constants by optimisation, and the claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.aghdam2017 import lipschitz_toy

from advlab.config import components
from advlab.store.tables import from_csv, to_csv
from tests.helpers.commands import Ended

LipschitzToy = components.REGISTRIES["experiment"].load("lipschitz_toy")


def table(**params: Any) -> pd.DataFrame:
    experiment: Any = LipschitzToy(LipschitzToy.Params(**params))
    context: Any = None  # neither the cells nor the numbers look at it
    return pd.DataFrame([vars(row) for cell in experiment.cells(context) for row in experiment.measure(context, cell)])


def steepest(function: str, low: float, high: float, edge: float = 5.0) -> float:
    """sup |f'| on an interval by golden-section search around the best of a grid, from values of f alone."""

    def slope(x: float) -> float:
        values, _ = lipschitz_toy.evaluate(function, np.array([x - 1e-5, x + 1e-5]), edge)
        return abs(float(values[1] - values[0])) / 2e-5

    grid = np.linspace(low + 1e-4, high - 1e-4, 400)
    best = grid[int(np.argmax([slope(x) for x in grid]))]
    step = grid[1] - grid[0]
    a, b = max(low + 1e-4, best - step), min(high - 1e-4, best + step)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        c, d = b - golden * (b - a), a + golden * (b - a)
        a, b = (a, d) if slope(c) > slope(d) else (c, b)
    return slope((a + b) / 2)


@pytest.mark.parametrize("edge", [5.0, 2.0])
@pytest.mark.parametrize("function", lipschitz_toy.FUNCTIONS)
def test_derivatives_equal_finite_differences(function: str, edge: float) -> None:
    x, h = np.linspace(-3 * edge, 3 * edge, 3001), 1e-5
    _, slopes = lipschitz_toy.evaluate(function, x, edge)
    differences = (
        lipschitz_toy.evaluate(function, x + h, edge)[0] - lipschitz_toy.evaluate(function, x - h, edge)[0]
    ) / (2 * h)
    assert np.abs(differences - slopes).max() < 1e-8


@pytest.mark.parametrize("function", ["wave", "plateau"])
def test_three_derivatives_are_continuous_at_the_edge(function: str) -> None:
    for sign in (-1, 1):
        x = sign * (5 + 1e-3 * np.arange(-4, 5))
        slopes = lipschitz_toy.evaluate(function, x, 5.0)[1]
        assert np.abs(slopes).max() < 1e-6  # a triple zero: (rate h)^3
        assert np.abs(np.diff(slopes, 2)).max() / 1e-6 < 0.1


@pytest.mark.parametrize(
    ("function", "low", "high", "constant"),
    [
        ("wave", -15, 15, 1), ("plateau", -15, 15, 1), ("line", -15, 15, 1), ("wave", -5, 5, 1), ("plateau", -5, 5, 1),
        ("wave", 5, 15, 1), ("wave", -15, -5, 1), ("plateau", 5, 15, 0), ("plateau", -15, -5, 0),
    ],
)  # fmt: skip
def test_constants_by_optimisation_over_values(function: str, low: float, high: float, constant: float) -> None:
    assert steepest(function, low, high) == pytest.approx(constant, abs=1e-8)


def test_the_functions_are_equal_inside_and_the_plateau_is_flat_beyond() -> None:
    rows = table()
    wave, plateau = (rows[rows["function"] == name].reset_index() for name in ("wave", "plateau"))
    inside = wave["x"].abs() <= 5
    assert np.abs(wave["value"] - plateau["value"])[inside].max() == 0
    assert plateau.loc[plateau["x"] > 5, "value"].nunique() == 1
    assert np.abs(wave["value"] - plateau["value"])[~inside].max() > 0.5


def verdicts(rows: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    return {(c.claim, c.subset, c.quantity[:4]): c.verdict for c in LipschitzToy(LipschitzToy.Params()).claims(rows)}


def test_the_papers_statements_hold_but_for_what_a_line_refutes() -> None:
    got = verdicts(table())
    assert len(got) == 6
    assert {key[0] for key, verdict in got.items() if verdict != "holds"} == {"constant-tells-non-linearity"}
    assert got["constant-tells-non-linearity", "control: a straight line", "mean"] == "does not hold"


CHANGES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "same-constant": lambda t: t.assign(derivative=t["derivative"] * np.where(t["function"] == "wave", 1.1, 1)),
    "less-beyond": lambda t: t.assign(derivative=t["derivative"].where(t["x"].abs() < 5, 0.0)),
    "constant-is-largest-gradient": lambda t: t.assign(value=2 * t["value"]),
    "constant-tells-non-linearity": lambda t: t.assign(derivative=1.0),
}


@pytest.mark.parametrize("claim", CHANGES)
def test_a_made_up_opposite_turns_a_claim(claim: str) -> None:
    before, after = verdicts(table()), verdicts(CHANGES[claim](table()))
    turned = [key for key in before if key[0] == claim]
    assert turned
    assert all({before[key], after[key]} == {"holds", "does not hold"} for key in turned)


def test_the_summary_agrees_with_the_closed_form() -> None:
    numbers = LipschitzToy(LipschitzToy.Params()).summary(table().assign(run="a"))
    assert len(numbers) == 9
    assert (numbers["lipschitz_grid"] - numbers["lipschitz_exact"]).abs().max() < 1e-3
    bending = numbers.set_index(["function", "region"])["mean_bending"]
    # mean |f''| of the wave: its derivative goes up and down by 1, four times in a period of four
    assert bending["wave", "everywhere"] == pytest.approx(1, abs=5e-3)
    assert bending["wave", "beyond"] == pytest.approx(1, abs=5e-3)
    assert bending["plateau", "beyond"] == bending["line", "everywhere"] == 0


def test_bending_leaves_the_gap_between_two_pieces_out() -> None:
    rows = pd.DataFrame({"x": [-3.0, -2.0, 2.0, 3.0], "derivative": [0.0, 1.0, 100.0, 101.0]})
    assert lipschitz_toy.bending(rows) == 1


@pytest.mark.parametrize("runs", [1, 3])
def test_the_figure_has_functions_and_derivatives(runs: int) -> None:
    names = ["$x$", "b" * 200, "c"][:runs]
    figure = LipschitzToy(LipschitzToy.Params()).plot(pd.concat([table().assign(run=name) for name in names]))
    figure.canvas.draw()
    assert len(figure.axes) == 2 * runs
    for axis in figure.axes:
        assert [line.get_label() for line in axis.get_lines()] == ["straight line (control)", "wave", "plateau"]


def test_rows_survive_csv() -> None:
    rows = [LipschitzToy.Row(**row) for row in table().to_dict("records")]
    text = to_csv(rows, LipschitzToy.Row)
    assert to_csv(from_csv(text, LipschitzToy.Row), LipschitzToy.Row) == text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"edge": 0.0}, "edge"), ({"reach": 5.5}, "reach"), ({"points": 3000}, "points must be odd"),
        ({"points": 1001}, "1501 to"), ({"points": 2_000_001}, "points"), ({"equal": 0.0}, "equal"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LipschitzToy.Params(**values)


def test_it_runs_without_data_and_network(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=lipschitz_toy")
    assert ended.code == 0
    assert "everywhere: 2 of 2 statements hold" in ended.out
    assert cli("experiment=lipschitz_toy", "dataset=digits").code == 2
