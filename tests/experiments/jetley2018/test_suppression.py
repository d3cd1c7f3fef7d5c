"""Projections of a network that two pixels decide, against what is left of it; and the claims on made tables."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.jetley2018.suppression_points import Point, points_of

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError
from advlab.statistics import simultaneous
from tests.helpers.squares_network import context

Suppression = components.REGISTRIES["experiment"].load("suppression")
SMALL: dict[str, Any] = {"samples": 12, "accuracy_images": 100, "dimensions": [1]}


def test_without_the_two_pixels_nothing_is_left_and_with_them_alone_all() -> None:
    found = testing.measured(context("suppression", **SMALL))
    assert set(found["d"]) == {1}
    assert found.groupby(["mode", "subspace", "draw"]).size().eq(12).all()
    kept = found[(found["mode"] == "keep") & found["subspace"].isin(["pos", "neg", "most", "neg+pos"])]
    assert (kept["accurate"] == kept["accurate_whole"]).all()
    assert kept["correct"].all()
    both = kept[kept["eligible_whole"]]
    assert both["l2"].to_numpy() == pytest.approx(both["l2_whole"].to_numpy(), rel=1e-3)  # the rest did not matter
    assert both["transferred"].all()
    removed = found[(found["mode"] == "remove") & (found["subspace"] == "most")]
    assert removed["accurate"].iloc[0] < 0.7 * removed["accuracy_images"].iloc[0]  # one class for all images
    assert removed["l2"].isna().all()  # and nothing to attack
    flat = found[(found["mode"] == "remove") & (found["subspace"] == "flat")]
    assert (flat["lost"] == 0).all()


def test_rows_do_not_depend_on_the_batch() -> None:
    tables = [testing.measured(context("suppression", size, **SMALL, subspaces=["pos"])) for size in (5, 256)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)
    with pytest.raises(ArgumentError, match="modes must name remove, keep or both"):
        Suppression.Params(modes=["keep", "keep"])


def made(points: dict[tuple[str, str, int], tuple[float, int]], samples: int = 80) -> pd.DataFrame:
    """A table of these projections: (mode, subspace, d) -> ratio of norms, and images of 5000 that are lost."""
    draws = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for (mode, kind, d), (ratio, lost) in points.items():
        for sample in range(samples):
            whole = draws.uniform(1, 2)
            rows.append(
                {
                    "mode": mode, "subspace": kind, "d": d, "draw": 0, "classes": 10, "rank": min(10 * d, 784),
                    "dimension": 784, "sample": sample, "eligible_whole": sample > 1, "l2_whole": whole if sample > 1 else np.nan,
                    "correct": sample > 2, "l2": whole * ratio * draws.uniform(0.95, 1.05) if sample > 2 else np.nan,
                    "factor": 1.1, "transferred": bool(sample % 3 == 0), "accuracy_images": 5000, "accurate_whole": 4950,
                    "accurate": 4950 - lost, "lost": lost, "won": 0, "run": "made",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(points: dict[tuple[str, str, int], tuple[float, int]]) -> dict[tuple[str, str], str]:
    params = Suppression.Params(modes=["remove"])
    return {(c.claim, c.subset): c.verdict for c in simultaneous(Suppression(params).claims(made(points)))}


RANDOM = {("remove", "random", 15): (1.0, 100)}


def test_robustness_that_costs_accuracy_confirms_and_free_robustness_refutes() -> None:
    costly = verdicts({("remove", "most", 15): (1.5, 900), ("remove", "pos", 15): (1.0, 10), **RANDOM})
    assert costly[("free-robustness", "remove curved")] == "holds"
    assert costly[("dearer-than-random", "remove, d = 15")] == "holds"
    assert costly[("free-robustness-random", "remove random")] == "not measured"
    free = verdicts({("remove", "most", 15): (1.5, 900), ("remove", "pos", 15): (1.3, 5), **RANDOM})
    assert free[("free-robustness", "remove curved")] == "does not hold"
    between = verdicts({("remove", "most", 15): (1.5, 50), **RANDOM})
    assert between[("free-robustness", "remove curved")] == "undecided"
    useless = verdicts({("remove", "most", 15): (1.05, 5), **RANDOM})
    assert useless[("free-robustness", "remove curved")] == "not measured"
    found = [case[("no-free-point", "remove curved")] for case in (costly, free, between, useless)]
    assert found == ["holds", "does not hold", "undecided", "holds"]


def test_what_only_an_attack_without_the_projection_fails_at_is_overstated() -> None:
    weak = {("remove", "most", 15): (0.8, 100), **RANDOM}  # two thirds withstand what was transferred, none its length
    assert verdicts(weak)[("lower-than-it-appears", "remove curved")] == "holds"
    strong = {("remove", "most", 15): (1.4, 100), **RANDOM}
    assert verdicts(strong)[("lower-than-it-appears", "remove curved")] == "does not hold"


def test_a_few_images_do_not_make_a_gain_that_is_lower_than_it_appears() -> None:
    """Eight of 397 images withstand what was transferred and not all of its length: more than none, and far below a tenth."""
    table = made({("remove", "most", 15): (1.4, 100), **RANDOM}, samples=400)
    most = table["subspace"] == "most"
    table.loc[most, "transferred"] = False
    table.loc[most & table["sample"].between(10, 17), "l2"] = 0.1
    params = Suppression.Params(modes=["remove"])
    (claim,) = [c for c in simultaneous(Suppression(params).claims(table)) if c.claim == "lower-than-it-appears"]
    assert claim.estimate == pytest.approx(8 / 397)
    assert claim.low > 0
    assert claim.verdict == "does not hold"


def test_an_image_on_which_the_attack_finds_nothing_is_robust_and_not_left_out() -> None:
    table = made({("remove", "most", 15): (1.0, 5), **RANDOM})
    most = table["subspace"] == "most"
    table.loc[most & (table["sample"] < 60), "l2"] = np.nan  # 57 of 77 images that are right with and without
    point = points_of(table[most])[0]
    assert len(point.both) == 77
    assert point.ratio.estimate == np.inf
    assert point.line()["withstand_white_box"] == pytest.approx(57 / 77)
    params = Suppression.Params(modes=["remove"])
    found = {(c.claim, c.subset): c.verdict for c in simultaneous(Suppression(params).claims(table))}
    assert found[("free-robustness", "remove curved")] == "does not hold"
    assert found[("no-free-point", "remove curved")] == "does not hold"
    Suppression(params).plot(table).savefig(io.BytesIO(), format="png")


def test_all_dimensions_are_no_suppression() -> None:
    assert (
        verdicts({("remove", "most", 784): (1.5, 5), **RANDOM})[("free-robustness", "remove curved")] == "not measured"
    )


def test_the_numbers_of_a_point() -> None:
    (point,) = points_of(made({("keep", "neg", 15): (1.2, 250)}))
    line = point.line()
    assert isinstance(point, Point)
    assert line["images"] == 77
    assert line["ratio"] == pytest.approx(1.2, rel=0.02)
    assert line["lost"] == pytest.approx(0.05)
    assert line["accuracy"] == pytest.approx(0.94)
    assert line["withstand_white_box"] == 1
    assert line["withstand_transfer"] == pytest.approx(1 - 26 / 77, abs=0.02)
    claims = Suppression(Suppression.Params()).claims(made({("keep", "neg", 15): (1.2, 250)}).iloc[:0])
    assert {claim.verdict for claim in claims} == {"not measured"}
