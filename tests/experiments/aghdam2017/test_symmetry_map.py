"""Figure 2 of aghdam2017: the map of a score known in closed form, and the search by brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab.config import components
from advlab.errors import ConfigError, MeasurementError
from advlab.plotting.pixels import decode
from advlab.probes.permutations import Permutations
from tests.helpers.networks import ScoreAgainstZero

SymmetryMap = components.REGISTRIES["experiment"].load("symmetry_map")
RADII = [0.1, 1.0, 2.0, 4.0, 8.0]
SMALL: dict[str, Any] = {"radii": RADII, "params": {"grid": 5}}


def pixels(x: Tensor) -> Tensor:
    """A logit that is linear in three pixels, and above 0 for every image."""
    return 2 * x[:, 0] + x[:, 1] + 0.5 * x[:, 5] + 0.5


def directions(ctx: Any, sample: int, k: int, trials: int) -> np.ndarray[Any, Any]:
    """(T, D) permutations of one (sample, radius), before scaling."""
    noise = torch.empty(1, trials, ctx.draws.size)
    Permutations(ctx.draws).write_directions([(sample, k)], noise)
    return noise[0].double().numpy()


def lengths(v: np.ndarray[Any, Any], norm: str) -> Any:
    return np.linalg.norm(v, axis=-1, keepdims=True) if norm == "l2" else np.abs(v).max(-1, keepdims=True)


def clean(ctx: Any, sample: int) -> Any:
    return ctx.data.images(torch.tensor([sample])).double().flatten().numpy()


def logit(x: np.ndarray[Any, Any]) -> Any:
    return pixels(torch.from_numpy(np.atleast_2d(x))).numpy()


@pytest.mark.parametrize("reading", [0, 1])
@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 4, 4)], ids=str)
def test_the_map_is_the_score_of_the_plane(around: Any, measured: Any, reading: int, shape: Any) -> None:
    params = {"grid": 5, "extent": 1.5, "reading": reading}
    ctx = around(
        "symmetry_map",
        ScoreAgainstZero(pixels),
        params=params,
        shape=shape,
        radii=RADII if not reading else [10, 100, 400],
    )
    found, pair = measured(ctx), ctx.prepared["pair"]
    marks, grid = found[found["kind"] == "mark"].set_index("name"), found[found["kind"] == "grid"]
    chosen = ctx.settings.probe.readings[reading]
    assert set(zip(grid["norm"], grid["pixel_scale"], strict=True)) == {tuple(chosen)}
    v = directions(ctx, pair["sample"], pair["radius"], 20)
    v *= ctx.settings.probe.radii[pair["radius"]] / chosen.pixel_scale / lengths(v, chosen.norm)
    v1, v2 = v[pair["kept"]], v[pair["lost"]]
    assert np.sort(v1) == pytest.approx(np.sort(v2), abs=1e-12)  # the same values in another order
    orthonormal, _ = np.linalg.qr(np.stack([v1, v2], 1))
    u1, u2 = (orthonormal * np.sign((orthonormal * np.stack([v1, v2], 1)).sum(0))).T
    places = {"clean": 0 * v1, "kept": v1, "lost": v2}
    for name, moved in places.items():
        mark = marks.loc[name]
        assert [mark["a"], mark["b"]] == pytest.approx([moved @ u1, moved @ u2], abs=1e-9)
    assert np.hypot(marks["a"], marks["b"]).to_numpy() == pytest.approx([0, *[np.linalg.norm(v1)] * 2], abs=1e-9)
    assert marks["rms"].to_numpy() == pytest.approx([0, *[255 * np.sqrt((v1**2).mean())] * 2], rel=1e-9)
    assert len(grid) == 25
    assert grid["a"].abs().max() == pytest.approx(1.5 * np.linalg.norm(v1), rel=1e-9)
    base = clean(ctx, pair["sample"])
    for row in found[found["kind"] != "sphere"].itertuples():
        expected = float(logit(base + row.a * u1 + row.b * u2)[0])
        assert row.margin == pytest.approx(expected, abs=1e-4)
        assert row.error_probability == pytest.approx(1 / (1 + np.exp(expected)), rel=1e-3)
        assert row.score == pytest.approx(1 - row.error_probability, abs=1e-12)
        assert row.misclassified == row.prediction == int(expected < 0)
        assert row.above == int(expected > float(logit(base)[0]) + 1e-6) or abs(expected - logit(base)[0]) < 1e-5
    assert marks["misclassified"].tolist() == [0, 0, 1]
    for name, moved in places.items():
        shown = np.clip(base + moved, 0, 1) * 255
        image = decode(marks.loc[name]).astype(float)
        assert image.shape == shape
        assert np.abs(image.ravel() - shown).max() < 0.51


@pytest.mark.parametrize("order", [[3, 0, 4, 1, 2], [2, 1, 4, 0, 3], [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]], ids=str)
@pytest.mark.parametrize("candidates", [2, 5])
def test_the_pair_is_that_of_the_smallest_radius_by_brute_force(around: Any, order: list[int], candidates: int) -> None:
    ctx = around(
        "symmetry_map", ScoreAgainstZero(pixels), count=5, samples=order, radii=RADII, params={"candidates": candidates}
    )
    best, expected = (len(RADII), 0), {}
    for place, sample in enumerate(order[:candidates]):
        for k, radius in enumerate(RADII):
            v = directions(ctx, sample, k, 20)
            out = logit(clean(ctx, sample) + v * radius / lengths(v, "l2"))
            if 0 < (out > 0).sum() < 20 and (k, place) < best:
                best = (k, place)
                expected = {"sample": sample, "radius": k, "kept": int(out.argmax()), "lost": int(out.argmin())}
    assert ctx.prepared["pair"] == expected


@pytest.mark.parametrize("batch", [1, 7, 33, 1000])
def test_nothing_depends_on_the_batch_size(around: Any, measured: Any, batch: int) -> None:
    one, other = (around("symmetry_map", ScoreAgainstZero(pixels), batch=b, **SMALL) for b in (60, batch))
    assert one.prepared == other.prepared
    tables = measured(one), measured(other)
    numbers = tables[0].select_dtypes("number").columns
    assert np.allclose(tables[0][numbers], tables[1][numbers], atol=1e-6, equal_nan=True)
    assert list(tables[0]["pixels"]) == list(tables[1]["pixels"])


def test_the_seed_and_nothing_else_decides_the_pair(around: Any) -> None:
    pairs = [around("symmetry_map", ScoreAgainstZero(pixels), count=5, **SMALL).prepared["pair"] for _ in range(2)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("function", [lambda x: x[:, 0] * 0 + 5, lambda x: x[:, 0] * 0 - 5, lambda x: x.sum(1) / 6])
def test_where_there_is_no_pair_the_message_says_what_was_tried(around: Any, function: Any) -> None:
    with pytest.raises(MeasurementError) as error:
        around("symmetry_map", ScoreAgainstZero(function), count=4, radii=RADII, params={"candidates": 3})
    for words in ("none of 3 samples", "0.1 to 8", "20 permutations", "L2", "experiment.candidates", "probe.radii"):
        assert words in str(error.value)


def test_a_network_without_finite_scores_has_no_pair(around: Any) -> None:
    with pytest.raises(MeasurementError, match="no pair"):
        around(
            "symmetry_map", ScoreAgainstZero(lambda x: torch.where(x[:, 0] > 0.9, torch.nan, x[:, 0] * 0 + 5)), **SMALL
        )


@pytest.mark.parametrize("clip", [False, True])
def test_scores_above_the_clean_one_are_counted(around: Any, measured: Any, clip: bool) -> None:
    function = (
        (lambda x: pixels(x) - 1) if clip else pixels
    )  # pixels in [0, 1] cannot bring the logit below 0 otherwise
    ctx = around("symmetry_map", ScoreAgainstZero(function), clip=clip, **SMALL)
    spheres = measured(ctx).query("kind == 'sphere'")
    assert len(spheres) == 3 * 2 * len(RADII)
    counted = 0
    for row in spheres.itertuples():
        v = directions(ctx, row.sample, RADII.index(row.radius), 20)
        moved = v * row.radius / row.pixel_scale / lengths(v, row.norm)
        x = clean(ctx, row.sample)
        out = logit(np.clip(x + moved, 0, 1)) - 1 if clip else logit(x + moved)
        before = float(logit(x)[0]) - clip
        sure = np.abs(out - before) > 1e-5
        assert abs(row.above - int((out[sure] > before).sum())) <= int((~sure).sum())
        assert row.misclassified == int((out < 0).sum())
        assert row.error_probability == pytest.approx(float((1 / (1 + np.exp(out))).mean()), abs=1e-6)
        assert row.rms == pytest.approx(255 * np.sqrt((moved[0] ** 2).mean()), rel=1e-5)
        counted += row.above
    assert counted > 100


def test_a_peak_at_the_image_has_nothing_above_it(around: Any, measured: Any) -> None:
    peak = torch.from_numpy(clean(around("symmetry_map", ScoreAgainstZero(pixels), **SMALL), 0))
    weight = torch.linspace(0.1, 2, 36)  # 1.05 on average
    network = ScoreAgainstZero(lambda x: 3 - ((x - peak.to(x)) ** 2) @ weight.to(x))
    ctx = around(
        "symmetry_map", network, count=1, radii=[0.1, 1, 1.7, 4], norm=["l2"], pixel_scale=[1.0], params={"grid": 5}
    )
    found = measured(ctx)
    assert found.query("kind != 'grid'")["above"].sum() == 0
    assert found.query("kind == 'grid'")["above"].sum() <= 1  # the middle of the grid is the image, but for rounding
    assert found.query("kind == 'sphere'")["misclassified"].sum() > 0


def test_clipping_is_seen_in_the_map(around: Any, measured: Any) -> None:
    network = ScoreAgainstZero(lambda x: pixels(x) - 1)
    free, cut = (measured(around("symmetry_map", network, clip=clip, **SMALL)) for clip in (False, True))
    assert cut.query("kind == 'grid'")["margin"].between(-0.51, 3.01).all()
    assert not free.query("kind == 'grid'")["margin"].between(-0.51, 3.01).all()


def test_cells_are_unique_and_the_cost_is_an_upper_bound(around: Any, measured: Any) -> None:
    ctx = around("symmetry_map", ScoreAgainstZero(pixels), **SMALL)
    ids = [cell.id for cell in ctx.settings.experiment.cells(ctx)]
    assert len(set(ids)) == len(ids)
    measured(ctx)
    cost = ctx.settings.experiment.cost(ctx).forwards
    searched = 3 * len(RADII) * 20
    assert cost - searched <= ctx.forward.images <= cost


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"grid": 4}, "grid"), ({"grid": 1}, "grid"), ({"extent": 1.0}, "extent"), ({"candidates": 0}, "candidates"),
        ({"maximal": 1.5}, "maximal"), ({"visible": 0.0}, "visible"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SymmetryMap.Params(**values)


def test_a_reading_that_the_probe_does_not_have_is_refused(around: Any) -> None:
    for reading in (2, -1):
        with pytest.raises(ConfigError, match=r"experiment\.reading must be 0 to 1"):
            around("symmetry_map", ScoreAgainstZero(pixels), params={"reading": reading})
    with pytest.raises(ConfigError, match=r"probe\.layer"):
        around("symmetry_map", ScoreAgainstZero(pixels), layer=["head"])
