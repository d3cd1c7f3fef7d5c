"""Bases that need no curvature: what experiments measure on singular vectors and random directions, and what they refuse."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.errors import AdvlabError, ConfigError, MeasurementError
from advlab.lab import NetworkContext
from advlab.statistics import simultaneous
from advlab.store.artifacts import Artifact
from experiments.jetley2018.along_directions import kinds_of as direction_kinds
from experiments.jetley2018.score_curves import ScoreCurves
from experiments.jetley2018.score_curves_measure import partner_of
from experiments.jetley2018.singular_stages import singular_id
from experiments.jetley2018.subspace_family import SubspaceParams, dimensions_of, kinds_of
from experiments.jetley2018.subspaces_measure import MEAN, needed_stages, spanned_subspaces, subspace_stages
from tests.helpers.squares_network import SIZE, Squares, context, four_by_four_images

SINGULAR = ("deepfool", "gradient")
FAMILY = ("subspace_accuracy", "subspace_norms", "suppression")
SMALL: dict[str, dict[str, Any]] = {
    "subspace_accuracy": {},
    "subspace_norms": {"samples": 20, "universal": 1, "universal_images": 10, "perturbations": ["deepfool", "random"]},
    "suppression": {"samples": 12, "accuracy_images": 60},
    "class_scores": {"samples": 60, "steps": 6},
    "score_curves": {"samples": 20, "steps": 6},
    "curved_universal": {"top": 1, "draws": 6, "samples": 40, "uap_images": 10, "uap_passes": 1, "shares": [0.2, 0.6]},
}


class Curved(nn.Module):
    """Three classes by smooth functions of all 16 pixels: gradients of many directions."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first = nn.Parameter(torch.randn(16, 24, generator=generator))
        self.second = nn.Parameter(torch.randn(24, 3, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh((x.flatten(1) - 0.5) @ self.first) @ self.second


def curved_context(experiment: str, **params: Any) -> NetworkContext:
    x = four_by_four_images(160)[0]
    options = {f"experiment.{name}": value for name, value in params.items()}
    made: NetworkContext = testing.context(experiment, Curved(), x, Curved()(x).argmax(1), options)
    return made


@pytest.mark.parametrize("basis", SINGULAR)
def test_subspaces_are_those_of_an_independent_decomposition(basis: str) -> None:
    """S_hi and S_lo of d C directions against numpy's singular vectors of the gradients, and nothing of the classes' curvature."""
    ctx = curved_context("subspace_accuracy", basis=basis, draws=1, centred=False)
    params = ctx.settings.experiment.params
    for stage in subspace_stages(ctx, params):
        arrays, facts = stage.make()
        ctx.held[stage.id] = Artifact(dict(arrays), dict(facts), fresh=True)
    assert needed_stages(ctx, params) == (singular_id(basis), MEAN)  # type: ignore[arg-type]
    spanned = {each.kind: each for each in spanned_subspaces(ctx, params, 2)}
    assert [*spanned] == ["hi", "lo", "random"]
    assert {len(each.subspace.basis) for each in spanned.values()} == {6}  # two for each of three classes
    assert all(np.isnan(each.curvature) for each in spanned.values())
    if basis == "gradient":
        x = ctx.data.images(torch.tensor(ctx.order()[len(ctx.data) // 2 :])).double().requires_grad_()
        (gradients,) = torch.autograd.grad(Curved().double()(x).amax(1).sum(), x)
        rows = gradients.flatten(1).numpy()
        right = np.linalg.svd(rows / np.linalg.norm(rows, axis=1, keepdims=True))[2]
        for kind, expected in (("hi", right[:6]), ("lo", right[-6:])):
            found = spanned[kind].subspace.basis.double().numpy()  # type: ignore[index]
            assert np.linalg.svd(found @ expected.T, compute_uv=False) == pytest.approx(np.ones(6), abs=1e-4), kind
    assert not torch.allclose(spanned["hi"].subspace.basis, spanned["lo"].subspace.basis, atol=0.1)


@pytest.mark.parametrize("basis", SINGULAR)
def test_the_two_pixels_that_decide_are_found_without_curvature(basis: str) -> None:
    """Perturbations and gradients of that network lie in the plane of two pixels: rank 2, and the whole of what decides."""
    ctx = context("subspace_accuracy", basis=basis, draws=1)
    found = testing.measured(ctx)
    assert set(found["subspace"]) == {"hi", "lo", "random"}
    assert set(found.loc[found["d"] > 0, "rank"]) == {2}
    one = found[(found["d"] == 1) & (found["split"] == "test")].set_index("subspace")
    assert one.loc["hi", "same"] == one.loc["hi", "images"]
    assert one.loc["random", "same"] < one.loc["random", "images"]
    claims = {(claim.claim, claim.subset): claim for claim in simultaneous(ctx.settings.experiment.claims(found))}
    assert claims["decided", "hi, d = 2"].verdict == "holds"
    assert "S_hi" in claims["flat-apart", "d = 2"].quantity
    assert not {"equal-signs"} & {name for name, _ in claims}


@pytest.mark.parametrize("basis", [*SINGULAR, "random"])
@pytest.mark.parametrize("experiment", SMALL)
def test_experiments_run_and_draw_on_each_basis(experiment: str, basis: str) -> None:
    if (experiment, basis) == ("curved_universal", "random"):
        return
    subspaces: dict[str, Any] = {"dimensions": [1, 3], "draws": 1} if experiment in FAMILY else {}
    ctx = context(experiment, basis=basis, **SMALL[experiment], **subspaces)
    declared = ctx.settings.experiment
    assert not [stage.id for stage in declared.stages(ctx) if stage.id.startswith(("curvature-", "points-"))]
    table = testing.measured(ctx).assign(run="made")
    column = "subspace" if experiment in FAMILY else "perturbation" if experiment == "curved_universal" else "direction"
    kinds = {"random"} if basis == "random" else {"hi", "lo", "random"}
    assert set(table[column]) - {"uap"} == kinds
    claims = declared.claims(table)
    assert bool(claims) == (basis != "random")
    assert not [claim for claim in claims if "curved" in claim.quantity]
    assert len(declared.summary(table))
    declared.plot(table).savefig(io.BytesIO(), format="png")


def test_scores_along_the_first_singular_vector_change_and_along_a_direction_outside_do_not() -> None:
    ctx = context("class_scores", basis="gradient", samples=60, steps=6, directions=2)
    table = testing.measured(ctx)
    ends = table[table["length"] == table.groupby("target")["length"].transform("max")]
    for direction in ("hi", "lo"):  # both lie in the plane of the two pixels
        assert (ends.loc[ends["direction"] == direction, "unchanged_both"] < 60).any()
    assert table["curvature"].isna().all()
    with pytest.raises(MeasurementError, match=r"have 2 singular directions: type experiment\.directions=2"):
        testing.measured(context("class_scores", basis="gradient", samples=60, steps=6, directions=3))


def test_the_last_singular_vector_is_claimed_to_leave_classes_alone() -> None:
    """Both verdicts on a made table: 400 images along the first, the last and a random direction at ten lengths."""
    declared = components.REGISTRIES["experiment"].load("class_scores")
    params = declared.Params(basis="deepfool")

    def verdicts(kept_along_last: int) -> dict[str, str]:
        rows = [
            {
                "target": target, "index": 1, "direction": kind, "length": length, "samples": 400,
                "unchanged": kept if length else 400, "unchanged_both": kept if length else 400,
            }
            for target in (0, 1)
            for kind, kept in (("hi", 100), ("lo", kept_along_last), ("random", 396))
            for length in (-1.0, 0.0, 1.0)
        ]  # fmt: skip
        return {claim.claim: claim.verdict for claim in declared(params).claims(pd.DataFrame(rows))}

    assert (
        verdicts(398) == {"unchanged-lo": "holds", "unchanged-random": "holds"}
        or verdicts(398)["unchanged-lo"] == "holds"
    )
    assert verdicts(300)["unchanged-lo"] == "does not hold"


def test_random_directions_differ_and_cross_each_other() -> None:
    ctx = context("class_scores", basis="random", samples=20, steps=3, directions=2, drawn=2)
    table = testing.measured(ctx)
    assert set(table["index"]) == {1, 2}
    assert table.loc[table["pixels"] != "", "pixels"].nunique() == 4  # two of each of two classes
    assert partner_of(ScoreCurves.Params(basis="random"), "random", 1) == ("random", 2)
    assert partner_of(ScoreCurves.Params(basis="random"), "random", 2) == ("random", 1)
    assert partner_of(ScoreCurves.Params(basis="gradient"), "hi", 1) == ("lo", 1)
    assert partner_of(ScoreCurves.Params(basis="gradient"), "random", 1) == ("hi", 1)
    assert [partner_of(ScoreCurves.Params(), kind, 1)[0] for kind in ("positive", "negative", "flat", "complement", "random")] == [
        "negative", "positive", "positive", "positive", "positive"
    ]  # fmt: skip
    assert direction_kinds(ScoreCurves.Params()) == ("positive", "negative", "flat", "random")


def test_what_a_basis_does_not_have_is_refused_with_what_it_has() -> None:
    with pytest.raises(
        ConfigError, match=r"pos: experiment\.basis=deepfool has hi, lo, random: .* experiment\.basis=dense"
    ):
        kinds_of(SubspaceParams(basis="deepfool", subspaces=["hi", "pos"]), SIZE)
    with pytest.raises(
        ConfigError, match=r"hi: experiment\.basis=auto has pos, .*random: .* experiment\.basis=deepfool"
    ):
        kinds_of(SubspaceParams(subspaces=["hi"]), SIZE)
    assert kinds_of(SubspaceParams(basis="random"), SIZE) == ["random"]
    with pytest.raises(ConfigError, match=r"hold 2 directions of a kind: take at most 2$"):
        dimensions_of(SubspaceParams(basis="gradient", dimensions=[3]), SIZE, 10)
    assert dimensions_of(SubspaceParams(basis="gradient", basis_images=8), SIZE, 4) == [0, 1, 2]
    for experiment, basis, known in (
        ("curvature", "deepfool", "auto, dense, lanczos"), ("basis_angles", "random", "auto, dense, lanczos"),
        ("curved_universal", "random", "auto, deepfool, dense, gradient, lanczos"),
    ):  # fmt: skip
        with pytest.raises(AdvlabError, match=rf"experiment\.basis: '{basis}' is no choice\..* There are: {known}\."):
            context(experiment, basis=basis)


def test_the_basis_of_figure_4_is_the_same_artifact() -> None:
    """One decomposition for all experiments of a network, whatever they ask of it."""
    x, labels = four_by_four_images()
    own = context("subspace_accuracy", basis="deepfool", basis_images=50)
    other: Any = testing.context("deepfool_svd", Squares(), x, labels, {"experiment.perturbations": 50})
    keys = [
        next(stage.key for stage in ctx.settings.experiment.stages(ctx) if stage.id == "singular-deepfool")
        for ctx in (own, other)
    ]
    assert keys[0] == keys[1]
