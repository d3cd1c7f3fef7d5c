"""Accuracy in subspaces of a network that two pixels decide, the subspaces that are there, and the claims on made tables."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.jetley2018.subspace_accuracy_claims import generalisation_gaps, signs_apart
from advlab.experiments.jetley2018.subspace_family import SubspaceParams, dimensions_of, kinds_of
from advlab.experiments.jetley2018.subspaces_measure import mean_image

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError, ConfigError
from advlab.statistics import simultaneous
from tests.helpers.squares_network import SIZE, context

SubspaceAccuracy = components.REGISTRIES["experiment"].load("subspace_accuracy")


def test_the_two_curved_pixels_decide_and_the_flat_ones_nothing() -> None:
    found = testing.measured(context("subspace_accuracy"))
    assert set(found["d"]) == {0, 1, 2, 3, 5, 7, 10, 15, 16}
    one = found[(found["d"] == 1) & (found["split"] == "test")].set_index(["subspace", "draw"])
    for kind in ("pos", "neg", "neg+pos", "most"):
        row = one.loc[(kind, 0)]
        assert row["rank"] == 2, kind  # both classes' directions, e_0 and e_1
        assert row["same"] == row["correct"] == row["images"] == 120, kind
        assert row["curvature"] == pytest.approx(16, rel=1e-4), kind
    flat = one.loc[("flat", 0)]
    assert flat["curvature"] == pytest.approx(0, abs=1e-3)
    assert flat["correct"] < 0.7 * flat["images"]  # one class for all images
    whole = found[found["d"] == SIZE]
    assert set(whole["rank"]) == {SIZE}
    assert (whole["same"] == whole["images"]).all()
    nothing = found[found["d"] == 0]
    assert set(nothing["rank"]) == {0}
    assert nothing.groupby("split")["same"].nunique().max() == 1
    many = found[(found["subspace"] == "flat") & (found["d"] == 10)]
    assert (many["rank"] <= 14).all()  # the two classes share their flat directions: none is invented
    assert set(found[found["subspace"] == "random"].groupby("d")["rank"].first()) == {0, 2, 4, 6, 10, 14, 16}


def test_counts_of_pairs_and_batches() -> None:
    tables = [testing.measured(context("subspace_accuracy", size, dimensions=[1, 3])) for size in (7, 256)]
    pd.testing.assert_frame_equal(*tables)
    for _, rows in tables[0].groupby(["split", "d"]):
        pos = rows[rows["subspace"] == "pos"].iloc[0]
        for row in rows.to_dict("records"):
            assert row["correct"] - row["only_here"] == pos["correct"] - row["only_pos"]
    assert (tables[0].loc[tables[0]["subspace"] == "pos", ["only_here", "only_pos"]] == 0).all(None)


def test_lanczos_has_a_complement_with_its_curvature_and_no_flat_directions() -> None:
    found = testing.measured(context("subspace_accuracy", basis="lanczos", pairs=2))
    assert set(found["subspace"]) == {"pos", "neg", "neg+pos", "most", "complement", "random"}
    assert set(found["d"]) == {0, 1, 2}
    other = found[(found["subspace"] == "complement") & (found["d"] == 1)]
    assert other["curvature"].to_numpy() == pytest.approx([0, 0], abs=1e-3)
    with pytest.raises(ConfigError, match=r"take complement, or set experiment\.basis=dense"):
        kinds_of(SubspaceParams(basis="lanczos", subspaces=["flat"]), SIZE)


def test_what_is_typed_must_be_there() -> None:
    with pytest.raises(ArgumentError, match="subspaces must name each once"):
        SubspaceParams(subspaces=["pos", "pos"])
    with pytest.raises(ConfigError, match="take flat"):
        kinds_of(SubspaceParams(subspaces=["complement"]), SIZE)
    with pytest.raises(
        ConfigError, match=r"hold 10 directions of a kind: take at most 10, or type experiment\.pairs=12"
    ):
        dimensions_of(SubspaceParams(basis="lanczos", dimensions=[2, 12]), 3072, 10)
    with pytest.raises(ConfigError, match=r"take at most 10$"):  # no number of pairs would hold so many
        dimensions_of(SubspaceParams(basis="lanczos", dimensions=[2000]), 3072, 10)
    with pytest.raises(ConfigError, match=r"take at most 16$"):
        dimensions_of(SubspaceParams(dimensions=[17]), SIZE, 2)
    assert dimensions_of(SubspaceParams(dimensions=[5, 2]), SIZE, 2) == [2, 5]
    grid = dimensions_of(SubspaceParams(), 784, 10)
    assert (grid[0], grid[-1]) == (0, 784)
    assert all(a < b <= 2 * a for a, b in pairwise(grid[1:]))


def test_the_mean_and_what_lies_outside() -> None:
    ctx = context("subspace_accuracy", dimensions=[1], subspaces=["pos"])
    samples = [0, 5, 9]
    mean = mean_image(ctx.data, samples)[0]["mean"]
    np.testing.assert_allclose(mean, ctx.data.images(torch.tensor(samples)).double().mean(0).numpy(), atol=1e-7)
    centred = testing.measured(ctx)
    raw = testing.measured(context("subspace_accuracy", dimensions=[1], subspaces=["pos"], centred=False))
    assert (raw["same"] == raw["images"]).all()  # what decides lies inside
    assert len(centred) == len(raw) == 2


def made(accuracies: dict[str, list[float]], images: int = 10_000, train: float = 0.0) -> pd.DataFrame:
    """A table of ten classes and 784 values with these accuracies at d = 1, 15, 30 and 784; all images are right as a whole."""
    rows: list[dict[str, Any]] = []
    for split, more in (("train", train), ("test", 0.0)):
        for kind, values in accuracies.items():
            for d, value, first in zip((1, 15, 30, 784), values, accuracies["pos"], strict=True):
                correct, pos = (min(images, round(images * (v + more))) for v in (value, first))
                rows.append(
                    {
                        "subspace": kind, "d": d, "draw": 0, "split": split, "classes": 10, "directions": 10 * d,
                        "rank": min(10 * d, 784), "dimension": 784, "curvature": 1.0, "images": images, "correct": correct,
                        "correct_whole": images, "same": correct, "only_here": max(correct - pos, 0),
                        "only_pos": max(pos - correct, 0), "run": "made",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


PAPER = {
    "pos": [0.3, 0.95, 0.99, 1.0], "neg": [0.31, 0.94, 0.99, 1.0], "neg+pos": [0.96, 0.99, 0.99, 1.0],
    "flat": [0.1, 0.1, 0.2, 1.0], "most": [0.4, 0.97, 0.99, 1.0], "random": [0.1, 0.3, 0.5, 1.0],
}  # fmt: skip


def verdicts(table: pd.DataFrame) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for claim in simultaneous(SubspaceAccuracy(SubspaceAccuracy.Params()).claims(table)):
        found.setdefault(claim.claim, set()).add(claim.verdict)
    return found


def test_claims_of_the_papers_table_hold_and_of_others_do_not() -> None:
    assert verdicts(made(PAPER)) == {
        name: {"holds"}
        for name in (
            "equal-signs", "decided", "disregard-flat", "flat-apart", "curved-above-random", "flat-below-random", "generalises"
        )
    }  # fmt: skip
    unlike = PAPER | {"neg": [0.1, 0.6, 0.9, 1.0]}
    assert verdicts(made(unlike))["equal-signs"] == {"does not hold"}
    assert verdicts(made(unlike))["decided"] == {"holds", "does not hold"}
    alike = {kind: [0.2, 0.3, 0.5, 1.0] for kind in PAPER}
    assert {name: found for name, found in verdicts(made(alike)).items() if found == {"does not hold"}}.keys() >= {
        "disregard-flat", "flat-apart"
    }  # fmt: skip
    assert verdicts(made(alike))["decided"] == {"does not hold", "not measured"}  # of S_neg+pos there is d = 1 alone
    assert verdicts(made(alike))["curved-above-random"] == {"undecided"}
    assert verdicts(made({**PAPER, "pos": [0.3, 0.85, 0.9, 0.9]}, train=0.1))["generalises"] == {"does not hold"}
    assert set().union(*verdicts(made(PAPER).iloc[:0]).values()) == {"not measured"}


def test_far_fewer_directions_than_the_paper_speaks_of_refute_nothing() -> None:
    alike = made({kind: [0.2, 0.3, 0.5, 1.0] for kind in PAPER})
    few = verdicts(alike[alike["d"] == 1])  # 10 of 784 directions, where a quarter and a half are asked for
    for name in ("equal-signs", "decided", "disregard-flat", "flat-apart", "generalises"):
        assert few[name] == {"not measured"}
    assert few["curved-above-random"] == {"undecided"}
    deciding = made({**{kind: [0.99, 0.99, 0.99, 1.0] for kind in PAPER}, "flat": [0.1, 0.1, 0.2, 1.0]})
    found = verdicts(deciding[deciding["d"] == 1])  # what so few directions do already, more do too
    for name in ("equal-signs", "decided", "disregard-flat", "flat-apart", "generalises"):
        assert found[name] == {"holds"}


def test_the_largest_difference_of_signs_is_judged_where_it_can_differ() -> None:
    table = made(PAPER)
    apart = signs_apart(table[table["split"] == "test"])
    assert [round(interval.estimate, 3) for interval in apart] == [0.01, -0.01, 0.0]  # not at the full 784
    gaps = generalisation_gaps(table[table["split"] == "train"], table[table["split"] == "test"])
    assert len(gaps) == 16
