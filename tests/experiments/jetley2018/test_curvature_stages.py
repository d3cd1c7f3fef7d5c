"""Boundary points against their definition, the step, the halves, the keys of the stages and what experiments read back.

Longer than other files: the stages share one made context.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hydra.core.config_store import ConfigStore
from torch import Tensor, nn

import advlab
from advlab import testing
from advlab.config import components
from advlab.engine.stages import keep_stage, plan_stages
from advlab.engine.units import PreparedRun, make_stage, measure_cell
from advlab.errors import ArgumentError, ConfigError, DataError
from advlab.geometry.mean_hessian import MeanHessian, dense_curvatures
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Stage
from advlab.plugins.names import registered_choices
from advlab.statistics import Claim
from experiments.jetley2018.curvature_stages import (
    CurvatureParams,
    TargetParams,
    curvature_stages,
    measured_samples,
    points_id,
    source_images,
    stage_id,
)
from experiments.jetley2018.curvature_stages_measure import boundary_points, centred_range, curvature_basis

IMAGES = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255


@dataclass(frozen=True)
class BasisRow:
    """Nothing but that the cell was measured."""

    target: int


class CurvatureStagesTest(Experiment[NetworkContext]):
    """An experiment that needs the bases of two classes, and those of the halves of one."""

    name: ClassVar[str] = "curvature_stages_test"
    paper: ClassVar[str] = "a test"
    title: ClassVar[str] = "Stages alone"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = BasisRow
    Params: ClassVar[type] = CurvatureParams

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        halves = [stage for half in (0, 1) for stage in curvature_stages(ctx, self.params, [1], half)]
        return [*curvature_stages(ctx, self.params, [1, 2]), *halves]

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        halves = (stage_id(1, 0), stage_id(1, 1))
        return [Cell("all", stages=(points_id(1), stage_id(1), points_id(2), stage_id(2), *halves))]

    def measure(self, ctx: NetworkContext, cell: Cell) -> list[BasisRow]:
        return [BasisRow(1)]

    def cost(self, ctx: NetworkContext) -> Cost:
        return Cost()

    def claims(self, table: Frame) -> list[Claim]:
        return []

    def plot(self, table: Frame) -> Figure:
        raise NotImplementedError


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3))


def made(network: nn.Module, *, batch_size: int = 256, **params: Any) -> NetworkContext:
    """The context of a run whose stages are made and held."""
    options = {f"experiment.{name}": value for name, value in {"points": 6, "iterations": 50, **params}.items()}
    ctx: NetworkContext = testing.context(
        CurvatureStagesTest, network, IMAGES, torch.arange(60) % 3, options, batch_size=batch_size
    )
    prepared = PreparedRun(ctx, {cell.id: cell for cell in ctx.settings.experiment.cells(ctx)})
    plan_stages(ctx)
    for stage in ctx.stages:
        keep_stage(ctx, stage, partial(make_stage, prepared, stage))
    measure_cell(prepared, "all")
    return ctx


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    """The experiment is known to these tests alone."""
    registry, repo = components.REGISTRIES["experiment"], ConfigStore.instance().repo
    targets, choices, stored = dict(registry._targets), dict(registered_choices), dict(repo.get("experiment", {}))
    advlab.experiment(CurvatureStagesTest)
    yield
    registry._targets = targets
    registered_choices.clear()
    registered_choices.update(choices)
    repo["experiment"] = stored


@pytest.fixture(scope="module")
def ctx(_registered: None) -> NetworkContext:
    return made(network())


def scores(ctx: NetworkContext, x: Tensor) -> Tensor:
    return ctx.forward(x)


def test_points_lie_a_little_before_the_boundary_of_the_target(ctx: NetworkContext) -> None:
    """On the way to an image of the target that targeted DeepFool of the paper finds; .8 of it."""
    artifact = ctx.stage(points_id(1))
    points, sources = boundary_points(ctx, 1)
    samples = torch.from_numpy(artifact.arrays["samples"])
    x = ctx.data.images(samples)
    assert len(points) == 6 == len(set(samples.tolist()))
    assert torch.equal(scores(ctx, x).argmax(1), sources)
    assert not (sources == 1).any()
    assert set(samples.tolist()) <= set(source_images(ctx)[1])
    r = (points - x) / 0.8
    assert torch.equal(scores(ctx, x + r).argmax(1), torch.ones(6, dtype=torch.int64))
    # of one step, r is 1.05 |F_c - F_source| w / |w|^2
    moved = x.clone().requires_grad_()
    logits = ctx.classifier(moved)
    gap = logits[:, 1] - logits.gather(1, sources[:, None])[:, 0]
    (w,) = torch.autograd.grad(gap.sum(), moved)
    once = 1.05 * (gap.abs() / w.flatten(1).square().sum(1)).view(-1, 1, 1, 1) * w
    near = torch.isclose(r, once, atol=1e-5).flatten(1).all(1)
    assert bool(near.any())
    assert bool(((r - once).flatten(1).norm(dim=1) < 0.5 * r.flatten(1).norm(dim=1)).all())


def test_a_basis_is_that_of_the_operator_at_the_points(ctx: NetworkContext) -> None:
    points, sources = boundary_points(ctx, 2)
    lowest, highest = centred_range(*source_images(ctx))
    operator = MeanHessian(ctx.classifier, points, 2, sources, step=6 * (highest - lowest) / 51.2, batch_size=99)
    expected, basis = dense_curvatures(operator), curvature_basis(ctx, 2)
    torch.testing.assert_close(basis.curvatures, expected.curvatures, rtol=1e-4, atol=1e-6)
    cosines = (basis.directions[:3] * expected.directions[:3]).sum(1)
    torch.testing.assert_close(cosines.double(), torch.ones(3).double(), rtol=0, atol=1e-3)
    assert basis.directions.dtype == torch.float32
    assert basis.asymmetry == pytest.approx(expected.asymmetry, rel=1e-3)
    facts = ctx.stage(stage_id(2)).facts
    assert facts["points"] == 6
    assert facts["gradients"] >= 2 * 6 * 36


def test_halves_are_disjoint_and_make_up_the_whole(ctx: NetworkContext) -> None:
    """The mean of the matrices of the halves is that of all points."""
    matrices = []
    for basis in (curvature_basis(ctx, 1), curvature_basis(ctx, 1, 0), curvature_basis(ctx, 1, 1)):
        v = basis.directions.double()
        matrices.append((v.T * basis.curvatures) @ v)
    torch.testing.assert_close((matrices[1] + matrices[2]) / 2, matrices[0], rtol=1e-3, atol=1e-5)
    assert float((matrices[1] - matrices[2]).norm()) > 0.1 * float(matrices[0].norm())


def test_the_range_of_mean_subtracted_images(ctx: NetworkContext) -> None:
    images, samples = source_images(ctx)
    x = images.images(torch.tensor(samples)).double()
    centred = x - x.mean(0)
    assert centred_range(images, samples) == pytest.approx((float(centred.min()), float(centred.max())), abs=1e-6)


def test_without_training_images_half_of_the_split_is_measured(
    ctx: NetworkContext, caplog: pytest.LogCaptureFixture
) -> None:
    measured, (images, samples) = measured_samples(ctx), source_images(ctx)
    assert images is ctx.data
    assert sorted(measured + samples) == list(range(60))
    assert measured_samples(ctx, 7) == ctx.order()[:7] == measured[:7]

    def missing(split: str) -> Any:
        raise DataError("no folder train")

    alone = replace(ctx, load_split=missing, splits={})
    for _ in range(2):
        assert source_images(alone)[1] == samples
    assert caplog.text.count("no training images (no folder train): half of test stands for them") == 1
    train = testing.image_data(1 - IMAGES, torch.arange(60) % 3)
    with_training = replace(ctx, load_split=lambda split: train, splits={})
    assert source_images(with_training)[1] == list(range(60))
    assert source_images(with_training)[0].digest == train.digest
    assert len(measured_samples(with_training)) == 60


def test_keys_hold_what_determines_a_stage_and_nothing_else(ctx: NetworkContext) -> None:
    def keys(params: CurvatureParams, stage: int = 1) -> dict[str, Any]:
        return dict(curvature_stages(ctx, params, [1])[stage].key)

    usual = CurvatureParams()
    assert keys(usual) == keys(CurvatureParams(basis="dense")) == keys(CurvatureParams(pairs=3))
    assert keys(usual) != keys(CurvatureParams(step=0.5))
    assert keys(CurvatureParams(hessian="autograd")) == keys(CurvatureParams(hessian="autograd", step=0.5))
    assert keys(CurvatureParams(basis="lanczos")) != keys(CurvatureParams(basis="lanczos", pairs=3))
    for other in (CurvatureParams(points=50), CurvatureParams(way=0.5), CurvatureParams(iterations=7)):
        assert keys(usual, 0) != keys(other, 0)
    assert keys(usual, 0) == keys(CurvatureParams(step=0.5), 0)
    halves = [curvature_stages(ctx, usual, [1], half) for half in (0, 1)]
    assert [len(stages) for stages in halves] == [1, 1]
    assert len({str(stage.key) for stage in (curvature_stages(ctx, usual, [1])[1], halves[0][0], halves[1][0])}) == 3


@pytest.mark.parametrize("basis", ["dense", "lanczos"])
def test_the_batch_does_not_matter(basis: str) -> None:
    contexts = [made(network(), batch_size=size, basis=basis, pairs=3) for size in (5, 256)]
    small, large = (curvature_basis(ctx, 1) for ctx in contexts)
    torch.testing.assert_close(small.curvatures, large.curvatures, rtol=1e-3, atol=1e-5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(*(boundary_points(c, 1) for c in contexts), strict=True))


class ThirdOnly(nn.Module):
    """Every image is of the third class, whatever is done to it."""

    def forward(self, x: Tensor) -> Tensor:
        logits = 0 * x.flatten(1)[:, :3]
        return logits + torch.tensor([0.0, 0.0, 2.0])


class SecondOnly(nn.Module):
    """Every image is of the second class."""

    def forward(self, x: Tensor) -> Tensor:
        logits = 0 * x.flatten(1)[:, :3]
        return logits + torch.tensor([0.0, 2.0, 0.0])


@pytest.mark.parametrize(
    ("network", "target", "reason"),
    [
        (ThirdOnly(), 1, "targeted DeepFool moved 0 of 30 images into it, and two boundary points are the least"),
        (SecondOnly(), 1, "the network puts all of 30 images into it, so that none of them can be moved into it"),
    ],
)
def test_a_class_without_boundary_points_has_no_directions(network: nn.Module, target: int, reason: str) -> None:
    """Its stages are kept as those of others, so that it is not sought again."""
    ctx = made(network, iterations=1)
    points, sources = boundary_points(ctx, target)
    assert points.shape == (0, 1, 6, 6)
    assert not len(sources)
    for stage in (points_id(target), stage_id(target), stage_id(target, 0)):
        facts = ctx.stage(stage).facts
        assert (facts["points"], facts["missing"]) == (0, reason)
    basis = curvature_basis(ctx, target)
    assert basis.directions.shape == (0, 36)
    assert not len(basis.curvatures)
    assert math.isnan(basis.asymmetry)


def test_fewer_points_than_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ctx = made(network(), points=40)
    assert 2 <= ctx.stage(points_id(1)).facts["points"] < 40
    assert "boundary points of 40" in caplog.text


@pytest.mark.parametrize("step", ["author", 0.0, -1.0, math.inf, math.nan])
def test_a_step_that_is_none(step: float | str) -> None:
    with pytest.raises(ArgumentError, match="authors or a length above 0"):
        CurvatureParams(step=step)


def test_classes_are_those_of_the_dataset_each_named_once() -> None:
    assert TargetParams().targets(3) == [0, 1, 2]
    assert TargetParams(classes=[2, 0]).targets(3) == [2, 0]
    assert TargetParams(classes=[2]).targets(0) == [2]  # not loaded yet
    with pytest.raises(ConfigError, match="classes 0 to 2"):
        TargetParams(classes=[3]).targets(3)
    with pytest.raises(ArgumentError, match="each class once"):
        TargetParams(classes=[1, 1])
