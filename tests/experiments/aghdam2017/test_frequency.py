"""Section 2.2 of aghdam2017: the identities by brute force in float64, the counterexamples, and the claims.

Longer than other files: one section of the paper, from its identities to its claims.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.aghdam2017 import convolution

from advlab.config import components
from advlab.store.tables import from_csv, to_csv
from tests.helpers.commands import Ended

Frequency = components.REGISTRIES["experiment"].load("frequency")


def table(seed: int = 0, **params: Any) -> pd.DataFrame:
    experiment = Frequency(Frequency.Params(**{"samples": 6, "size": 8, "kernel": 3, **params}))
    context = types.SimpleNamespace(settings=types.SimpleNamespace(run=types.SimpleNamespace(seed=seed)))
    rows = [row for cell in experiment.cells(context) for row in experiment.measure(context, cell)]
    return pd.DataFrame([vars(row) for row in rows])


@pytest.fixture(scope="module")
def frequency_table() -> pd.DataFrame:
    return table()


def convolutions(frequency_table: pd.DataFrame) -> pd.DataFrame:
    return frequency_table[~frequency_table["system"].str.startswith("rbf")]


# the mathematics


@pytest.mark.parametrize("shape", [(3, 3), (1, 2), (2, 5), (6, 8), (1, 1)], ids=str)
def test_the_convolution_equals_its_definition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    kernel, x = rng.standard_normal(shape), rng.standard_normal((2, 6, 8))
    out = convolution.convolve(kernel, x)
    for n in range(2):
        for r in range(6):
            for c in range(8):
                expected = sum(
                    kernel[i, j] * x[n, (r - i) % 6, (c - j) % 8] for i in range(shape[0]) for j in range(shape[1])
                )
                assert out[n, r, c] == pytest.approx(expected, abs=1e-12)


def test_max_pool_equals_its_definition() -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 9))
    out = convolution.max_pool(x, 3)
    assert out.shape == (2, 2, 3)
    for n, r, c in np.ndindex(2, 2, 3):
        assert out[n, r, c] == max(x[n, 3 * r + i, 3 * c + j] for i in range(3) for j in range(3))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_permute_moves_a_share_and_keeps_the_values(share: float) -> None:
    x = np.arange(200.0).reshape(2, 10, 10)
    out = convolution.permute(x, share, np.random.default_rng(0))
    assert np.array_equal(np.sort(out.reshape(2, -1), 1), x.reshape(2, -1))
    assert np.array_equal(out[1], out[0] + 100)  # both alike
    moved = (out[0] != x[0]).sum()
    assert 0.8 * share * 100 < moved <= share * 100


def test_radial_functions_equal_their_definition() -> None:
    rng = np.random.default_rng(0)
    x, centres, weights = rng.standard_normal((4, 5)), rng.standard_normal((3, 5)), rng.standard_normal(3)
    out = convolution.radial(x, centres, weights, 2.0)
    for n in range(4):
        expected = sum(w * np.exp(-(np.linalg.norm(x[n] - c) ** 2) / 8) for w, c in zip(weights, centres, strict=True))
        assert out[n] == pytest.approx(expected, abs=1e-12)


def test_dissimilarity_equals_an_independent_one() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6, 6)) + 3
    rms, relative, decorrelation = convolution.dissimilarity(a, b)
    assert rms == pytest.approx(np.sqrt(np.mean((a - b) ** 2)), abs=1e-12)
    assert relative == pytest.approx(np.linalg.norm(a - b) / (np.linalg.norm(a) + np.linalg.norm(b)), abs=1e-12)
    assert decorrelation == pytest.approx(1 - np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-12)
    assert np.isnan(convolution.dissimilarity(np.ones((3, 3)), np.ones((3, 3)) + 1e-15)[2])
    assert np.isnan(convolution.dissimilarity(np.zeros((3, 3)), np.zeros((3, 3)))[1])


def test_outputs_differ_in_space_as_the_frequency_domain_says(frequency_table: pd.DataFrame) -> None:
    rows = convolutions(frequency_table)
    assert np.abs(rows["distance"] - rows["predicted"]).max() < 1e-10
    assert (rows["distance"] > 1e-3).any()


def test_the_difference_is_linear_in_the_length(frequency_table: pd.DataFrame) -> None:
    rows = frequency_table[
        (frequency_table["system"] == "random")
        & (frequency_table["change"] == "permutation")
        & (frequency_table["share"] == 1)
    ]
    ratio = (rows["distance"] / rows["length"]).groupby(rows["sample"])
    assert (ratio.max() / ratio.min() - 1).max() < 1e-10
    relative = rows.groupby("sample")["relative"]
    assert (relative.max() - relative.min()).max() < 1e-10


def test_a_permutation_keeps_energy_and_dc_and_a_shift_all_amplitudes(frequency_table: pd.DataFrame) -> None:
    rows = convolutions(frequency_table)
    assert rows[["dc", "energy"]].drop(rows.index[rows["change"] == "stripes"]).to_numpy().max() < 1e-10
    assert rows.loc[rows["change"] == "shift", "amplitudes"].max() < 1e-10
    assert rows.loc[(rows["change"] == "permutation") & (rows["share"] == 1), "amplitudes"].min() > 0.1


def test_the_counterexamples(frequency_table: pd.DataFrame) -> None:
    cases = dict(list(frequency_table[frequency_table["share"] == 1].groupby(["system", "change"])))
    assert cases["ones", "permutation"]["gain"].max() < 1e-10
    assert cases["ones", "permutation"]["positive"].min() == 64
    assert cases["pair", "stripes"]["distance"].max() < 1e-10
    assert cases["pair", "stripes"]["positive"].min() == 2
    for key in (("random", "shift"), ("delta", "permutation")):
        assert cases[key]["sorted_gain"].max() < 1e-10
        assert cases[key]["gain"].min() > 1e-3
    assert cases["delta", "permutation"]["gain"].to_numpy() == pytest.approx(1, abs=1e-10)
    assert cases["random", "permutation"]["sorted_gain"].min() > 1e-3


def test_pooling_never_lengthens_a_difference(frequency_table: pd.DataFrame) -> None:
    """||pool a - pool b|| <= ||a - b||: a maximum moves by no more than the element that moves most."""
    rows = convolutions(frequency_table)
    assert (rows["pooled_rms"] * 4 <= rows["rms"] * 8 + 1e-12).all()  # of 16 and 64 values


def test_a_radial_unit_is_isotropic_at_its_centre_alone(frequency_table: pd.DataFrame) -> None:
    rows = frequency_table[frequency_table["system"] == "rbf-1"]
    assert rows.loc[rows["change"] == "centre", "distance"].max() < 1e-10
    away = rows[rows["change"] == "away"]
    assert away["distance"].min() > 1e-4
    # no range exceeds that over all directions, from |d - r| to d + r of the centre, at the distance d = width = 10
    nearest, farthest = (away["length"] - 10).abs(), away["length"] + 10
    assert (away["distance"] < np.exp(-(nearest**2) / 200) - np.exp(-(farthest**2) / 200)).all()
    assert (
        frequency_table[(frequency_table["system"] == "rbf-10") & (frequency_table["change"] == "centre")][
            "distance"
        ].min()
        > 1e-5
    )


# the experiment


def test_draws_depend_on_seed_and_sample_alone(frequency_table: pd.DataFrame) -> None:
    more = table(samples=8)
    pd.testing.assert_frame_equal(more[more["sample"] < 6].reset_index(drop=True), frequency_table)
    assert not np.allclose(table(seed=1)["distance"], frequency_table["distance"])


def verdicts(rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(c.claim, c.subset): c.verdict for c in Frequency(Frequency.Params(shares=[0.1, 1.0])).claims(rows)}


def test_claims_name_what_holds_and_what_does_not() -> None:
    got = verdicts(table(samples=40, size=16, shares=[0.1, 1.0]))
    random = "random kernel, permutation"
    assert got.pop(("pooling-decorrelation", "random kernel, 100 % permuted")) in ("undecided", "does not hold")
    holding = {key for key, verdict in got.items() if verdict == "holds"}
    assert holding == {
        ("outputs-differ", random), ("spectra-differ", random), ("spectra-differ", "random kernel, shift"),
        ("values-differ", random), ("comparable-near-zero-distance", random),
        ("pooling-decorrelation", "random kernel, 10 % permuted"), ("radial-is-isotropic", "one radial unit, at its centre"),
    }  # fmt: skip
    assert {verdict for key, verdict in got.items() if key not in holding} == {"does not hold"}


CHANGES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "outputs-differ": lambda t: t.assign(gain=0.5 * (t["gain"] < 1e-9)),
    "values-differ": lambda t: t.assign(sorted_gain=1.0 * (t["sorted_gain"] < 1e-9)),
    "spectra-differ": lambda t: t.assign(spectrum=0.0),
    "comparable-near-zero-distance": lambda t: t.assign(distance=1.0),
    "comparable-near-zero-relative": lambda t: t.assign(relative=t["length"]),
    "pooling-rms": lambda t: t.assign(pooled_rms=2 * t["rms"]),
    "pooling-relative": lambda t: t.assign(pooled_relative=2 * t["relative"]),
    "radial-is-isotropic": lambda t: t.assign(
        distance=t["distance"].where(t["predicted"].notna(), 1.0 * (t["distance"] < 1e-9))
    ),
}


@pytest.mark.parametrize("claim", CHANGES)
def test_a_made_up_opposite_turns_a_claim(frequency_table: pd.DataFrame, claim: str) -> None:
    before, after = verdicts(frequency_table), verdicts(CHANGES[claim](frequency_table))
    turned = [key for key in before if key[0] == claim]
    assert turned
    assert all({before[key], after[key]} == {"holds", "does not hold"} for key in turned)


def test_few_samples_decide_nothing() -> None:
    assert set(verdicts(table(samples=3)).values()) == {"undecided"}


def test_a_kernel_without_two_positive_elements_is_no_counterexample(frequency_table: pd.DataFrame) -> None:
    got = verdicts(frequency_table.assign(positive=1))
    assert got["outputs-differ", "random kernel, permutation"] == "not measured"


@pytest.mark.parametrize("runs", [1, 2])
def test_the_figure_shows_every_case(frequency_table: pd.DataFrame, runs: int) -> None:
    names = ["frequency $x$", "b" * 200][:runs]
    figure = Frequency(Frequency.Params()).plot(pd.concat([frequency_table.assign(run=name) for name in names]))
    figure.canvas.draw()
    panels = [axis for part in figure.subfigs for axis in part.axes]
    assert len(panels) == 4 * runs
    assert all(axis.get_xlabel() for axis in panels)
    assert len(panels[1].get_yticklabels()) == 5
    assert [len(panels[n].get_lines()) for n in (0, 2, 3)] == [5, 4, 3]


def test_rows_survive_csv(frequency_table: pd.DataFrame) -> None:
    rows = [Frequency.Row(**row) for row in frequency_table.to_dict("records")]
    text = to_csv(rows, Frequency.Row)
    assert to_csv(from_csv(text, Frequency.Row), Frequency.Row) == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("samples", 0), ("size", 7), ("size", 2), ("size", 130), ("kernel", 1), ("kernel", 9), ("window", 1), ("window", 3),
        ("window", 8), ("lengths", [1.0]), ("lengths", [0.0, 1.0]), ("lengths", [2.0, 1.0]), ("shares", []),
        ("shares", [0.5]), ("shares", [0.01, 1.0]), ("shares", [1.0, 0.5]), ("directions", 1), ("width", 0.0), ("growth", -1.0),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=key):
        Frequency.Params(**{"size": 8, "kernel": 3, key: value})


def test_it_runs_without_data_and_network(cli: Callable[..., Ended]) -> None:
    line = ("experiment=frequency", "run.preset=tiny", "experiment.size=8")
    assert "cells      1" in cli(*line, "run.dry=true").out
    ended = cli(*line)
    assert ended.code == 0
    assert "figure: " in ended.out
    assert "outputs/frequency/v001" in ended.out.replace("\\", "/")
    ended = cli(*line, "model=lenet")
    assert ended.code == 2
    assert "uses no model" in ended.err
