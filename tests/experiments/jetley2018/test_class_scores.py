"""Figure 2 of jetley2018 on a network whose curvature directions are known, by brute force, and its claims on made-up tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError, ConfigError
from advlab.plotting.pixels import decode
from advlab.statistics import simultaneous
from experiments.jetley2018.along_directions_measure import direction_of
from experiments.jetley2018.class_scores_claims import half_moved
from experiments.jetley2018.saturation import ladder, saturated_range
from tests.helpers.quadratic_network import FALLS, RISES, Quadratic, U, V, six_by_six_images

ClassScores = components.REGISTRIES["experiment"].load("class_scores")


def context(count: int = 80, **options: Any) -> Any:
    given = {"points": 20, "classes": [0], "steps": 6, **options}
    return testing.context(
        "class_scores",
        Quadratic(),
        *six_by_six_images(count),
        options={f"experiment.{name}": value for name, value in given.items()},
    )


@pytest.fixture(scope="module")
def measured() -> tuple[Any, pd.DataFrame]:
    ctx = context(800)
    return ctx, testing.measured(ctx)


def test_the_most_curved_directions_of_the_class_are_found_with_their_curvatures(
    measured: tuple[Any, pd.DataFrame],
) -> None:
    table = measured[1]
    curvatures = table[table["index"] == 1].groupby("direction")["curvature"].first()
    assert curvatures["positive"] == pytest.approx(RISES, rel=1e-3)
    assert curvatures["negative"] == pytest.approx(FALLS, rel=1e-3)
    assert curvatures["flat"] == pytest.approx(0, abs=1e-3)
    assert np.isnan(curvatures["random"])
    drawn = table[(table["index"] == 1) & (table["length"] == 0)].set_index("direction")
    for kind, axis in (("positive", U), ("negative", V)):
        found = torch.from_numpy(decode(drawn.loc[kind]).copy()).double().flatten() - 127.5
        assert float((found @ axis).abs() / found.norm()) > 0.999


def test_columns_are_those_of_their_definitions(measured: tuple[Any, pd.DataFrame]) -> None:
    ctx, table = measured
    samples = ctx.settings.experiment.samples(ctx)
    x = six_by_six_images(800)[0].double().flatten(1)[samples]
    rows = table[(table["direction"] == "positive") & (table["index"] == 1)].sort_values("length")
    longest = rows["length"].max()
    assert rows["length"].to_numpy() == pytest.approx(np.linspace(-longest, longest, 13))
    drawn = torch.from_numpy(decode(rows[rows["length"] == 0].iloc[0]).copy()).double().flatten() - 127.5
    direction = U * torch.sign(drawn @ U)

    def logits(s: float) -> torch.Tensor:
        with torch.no_grad():
            return Quadratic().double()((x + s * direction).reshape(-1, 1, 6, 6))

    before = logits(0).argmax(1)
    own = before == 0
    assert 20 < int(own.sum()) < len(samples) - 20
    for _, row in rows.iterrows():
        at, opposite = logits(row["length"]), logits(-row["length"])
        here, there = at.argmax(1) == 0, opposite.argmax(1) == 0
        same = at.argmax(1) == before
        counts = {
            "others": ~own, "moved": here & ~own, "moved_both": here & there & ~own, "own": own, "stayed": here & own,
            "stayed_either": (here | there) & own, "unchanged": same, "unchanged_both": same & (opposite.argmax(1) == before),
        }  # fmt: skip
        for name, hits in counts.items():  # one image may lie on the boundary
            assert abs(row[name] - int(hits.sum())) <= 1, name
        target, other = at[:, 0].numpy(), at[:, 1:].amax(1).numpy()
        for name, q in (("low", 0.3), ("median", 0.5), ("high", 0.7)):
            assert row[f"target_{name}"] == pytest.approx(float(np.quantile(target, q)), rel=1e-3, abs=1e-3)
            assert row[f"other_{name}"] == pytest.approx(float(np.quantile(other, q)), rel=1e-3, abs=1e-3)
        assert row["probability"] == pytest.approx(float(np.median(torch.softmax(at, 1)[~own, 0])), abs=1e-3)


def test_everything_is_moved_in_along_u_and_out_along_v_and_nothing_along_flat_directions(
    measured: tuple[Any, pd.DataFrame],
) -> None:
    ctx, table = measured
    claims = {claim.claim: claim for claim in simultaneous(ctx.settings.experiment.claims(table))}
    assert claims["moved-into-the-class"].verdict == "holds"
    assert claims["moved-into-the-class"].estimate == 1
    assert claims["moved-out-of-the-class"].verdict == "holds"
    assert claims["moved-out-of-the-class"].estimate == 0
    assert claims["unchanged-flat"].verdict == "holds"
    assert claims["moved-random"].estimate < 1
    assert claims["most-classes-positive"].verdict == "undecided"  # one class decides nothing
    summary = ctx.settings.experiment.summary(table).set_index(["direction", "index"])
    assert summary.loc[("positive", 1), "moved_both"] == 1
    assert summary.loc[("flat", 1), "unchanged_both"] == 1


def test_a_network_that_is_turned_round_fails_the_claims() -> None:
    ctx = context(200)
    table = testing.measured(ctx)
    turned = table.replace({"direction": {"positive": "negative", "negative": "positive"}}).assign(
        curvature=-table["curvature"]
    )
    verdicts = {claim.claim: claim.verdict for claim in ctx.settings.experiment.claims(turned)}
    assert verdicts["moved-into-the-class"] == "does not hold"
    assert verdicts["moved-out-of-the-class"] == "does not hold"
    assert verdicts["unchanged-flat"] == "not measured"  # nothing moves half of the images


def test_directions_of_the_wrong_sign_are_not_judged(measured: tuple[Any, pd.DataFrame]) -> None:
    ctx, table = measured
    verdicts = {claim.claim: claim for claim in ctx.settings.experiment.claims(table.assign(curvature=0.0))}
    assert verdicts["moved-into-the-class"].verdict == verdicts["moved-out-of-the-class"].verdict == "not measured"
    assert verdicts["most-classes-positive"].estimate == 0


def test_a_class_without_images_of_its_own_says_nothing_of_negative_directions(
    measured: tuple[Any, pd.DataFrame],
) -> None:
    ctx, table = measured
    none = pd.concat([table, table.assign(target=1, own=0, stayed=0, stayed_either=0)])
    verdicts = {(claim.claim, claim.subset): claim for claim in ctx.settings.experiment.claims(none)}
    assert verdicts["moved-out-of-the-class", "class 1"].verdict == "not measured"
    assert verdicts["most-classes-negative", "over classes"].samples == 1
    assert verdicts["most-classes-negative", "over classes"].estimate == 1
    assert verdicts["most-classes-positive", "over classes"].samples == 2


def test_lanczos_has_a_complement_instead_of_flat_directions_and_says_how_many_directions_there_are() -> None:
    ctx = context(60, basis="lanczos", pairs=2)
    assert "complement" in set(testing.measured(ctx)["direction"])
    params = ctx.settings.experiment.params
    complement = direction_of(ctx, params, 0, "flat", 1)
    assert complement.kind == "complement"
    for axis in (U, V):
        assert abs(float(complement.vector.double().flatten() @ axis)) < 1e-3
    assert float(complement.vector.norm()) == pytest.approx(1)
    assert float((direction_of(ctx, params, 0, "flat", 2).vector - complement.vector).norm()) > 0.5
    assert float(direction_of(ctx, params, 0, "random", 1).vector.norm()) == pytest.approx(1)
    assert abs(float(direction_of(ctx, params, 0, "positive", 1).vector.double().flatten() @ U)) == pytest.approx(
        1, abs=1e-3
    )
    more = context(60, basis="lanczos", pairs=2, directions=3)
    with pytest.raises(ConfigError, match=r"experiment\.directions=2"):
        more.settings.experiment.stages(more)


def test_a_given_range_is_taken_and_no_stage_seeks_one() -> None:
    ctx = context(30, range=2.5)
    assert [stage.id for stage in ctx.settings.experiment.stages(ctx)] == ["points-0", "curvature-0"]
    table = testing.measured(ctx)
    assert set(table.groupby(["direction", "index"])["length"].max()) == {2.5}
    assert table["saturated"].all()


def test_the_batch_size_changes_nothing_but_rounding() -> None:
    tables = []
    for batch in (7, 256):
        ctx = testing.context(
            "class_scores", Quadratic(), *six_by_six_images(50), batch_size=batch,
            options={"experiment.classes": [0], "experiment.points": 10, "experiment.steps": 2},
        )  # fmt: skip
        tables.append(testing.measured(ctx).drop(columns=["pixels"]))
    numbers = [table.select_dtypes("number") for table in tables]
    assert np.allclose(numbers[0], numbers[1], rtol=1e-3, atol=1e-3, equal_nan=True)


def test_half_moved_is_the_first_length_at_which_both_signs_together_move_half() -> None:
    lengths = np.array([-2.0, -1, 0, 1, 2])
    rows = pd.DataFrame({"length": lengths, "moved": [10, 9, 0, 0, 3], "others": 10})
    assert half_moved(rows) == 2  # 13 of 20, where 9 of 20 are not enough
    assert np.isnan(half_moved(rows.assign(moved=4)))


def test_the_range_ends_where_no_later_doubling_changes_anything() -> None:
    lengths = ladder(8.0)
    rise = np.array([0, 0, 0, 0.4, 0.97, 1.0, 0.98])
    back = np.array([0, 0, 0, 0, 0, 0, 0.5])
    assert saturated_range(lengths, rise[:, None], 0.05) == (2.0, True)
    assert saturated_range(lengths, np.stack([rise, back], 1), 0.05) == (8.0, False)
    assert saturated_range(lengths, np.zeros((7, 2)), 0.05) == (0.125, True)


def test_classes_are_checked() -> None:
    with pytest.raises(ArgumentError, match="each class once"):
        ClassScores.Params(classes=[1, 1])
    with pytest.raises(ConfigError, match="classes 0 to 9"):
        testing.settings_of("class_scores", {"experiment.classes": [10], "dataset": "mnist", "model": "lenet_mnist"})


def test_where_nothing_moves_the_range_is_all_that_was_tried() -> None:
    """A network whose classes are far beyond the cap: the first length would end a range in which nothing can be seen."""
    last = torch.nn.Linear(36, 2)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([1e3, 0.0]))
    network = torch.nn.Sequential(torch.nn.Flatten(), last)
    options = {"experiment.classes": [0], "experiment.steps": 2, "experiment.basis": "random"}
    table = testing.measured(testing.context("class_scores", network, *six_by_six_images(40), options))
    assert table["length"].max() == pytest.approx(0.5 * 6)  # the cap, as a root-mean-square change
    assert not table["saturated"].any()
    assert (table["unchanged"] == table["samples"]).all()
