"""Universal perturbations from a subspace that a network made for it must obey, and the verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from experiments.jetley2018.curved_universal import CurvedUniversal

IMAGES = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255


class OneDirection(nn.Module):
    """The second class is what differs much in the first pixel from grey, whatever the other pixels are."""

    def forward(self, x: Tensor) -> Tensor:
        away = (x.flatten(1)[:, 0] - 0.5).square()
        return torch.stack([torch.full_like(away, 1.0), 4 * away, 0 * away - 5], 1)


def table_of(**options: Any) -> pd.DataFrame:
    params = {
        "classes": [1], "points": 6, "iterations": 100, "top": 1, "draws": 6, "samples": 25, "uap_images": 10,
        "uap_passes": 2, "shares": [0.1, 0.6], **options,
    }  # fmt: skip
    labels = OneDirection()(IMAGES).argmax(1)
    return testing.measured(
        testing.context(
            "curved_universal", OneDirection(), IMAGES, labels, {f"experiment.{k}": v for k, v in params.items()}
        )
    )


def test_a_network_that_looks_at_one_direction() -> None:
    """Its one curved direction fools all images at a length of 2, which random vectors of 36 pixels hardly do."""
    table = table_of()
    long = table[table["share"] == 0.6].set_index("perturbation")
    assert 1 < long["length"].iloc[0] < 4
    assert long.loc["curved", "fooled"].min() == 1
    assert long.loc["random", "fooled"].mean() < 0.6
    assert set(long.loc["curved", "dimensions"]) == {1}
    assert set(long.loc["random", "dimensions"]) == {36}
    short = table[(table["share"] == 0.1) & (table["perturbation"] == "random")]
    assert short["fooled"].mean() < 0.1
    rates = table.groupby(["perturbation", "share"])["length"].nunique()
    assert set(rates) == {1}


def test_lengths_are_shares_of_the_mean_norm() -> None:
    table = table_of(uap_images=60)
    half = IMAGES.flatten(1).norm(dim=1).mean()  # of the half that perturbations are made of
    assert (table["length"] / table["share"]).to_numpy() == pytest.approx(float(half), rel=0.05)


def test_perturbations_of_half_of_a_split_and_of_all_of_it_are_two_artifacts() -> None:
    """The split that a run measures, of which it makes them of a half, may be the training split of another run."""
    train = testing.image_data(IMAGES, torch.arange(60) % 3)
    measured = testing.image_data(1 - IMAGES, torch.arange(60) % 3)
    options = {"experiment.classes": [1], "experiment.shares": [0.3]}

    def keys(ctx: Any) -> dict[str, Any]:
        ctx.prepared["norm"] = 3.0
        return {stage.id: dict(stage.key) for stage in ctx.settings.experiment.stages(ctx)}

    half = keys(testing.context("curved_universal", OneDirection(), train, options=options))
    ctx = testing.context("curved_universal", OneDirection(), measured, options=options)
    whole = keys(replace(ctx, load_split=lambda split: train, splits={}))
    assert half["uap-0"]["data"] == whole["uap-0"]["data"]
    assert half["uap-0"] != whole["uap-0"]
    assert half["points-1"] != whole["points-1"]


def made_up(curved: float, random: float, uap: float) -> pd.DataFrame:
    rows = [
        {"run": "test", "perturbation": kind, "draw": draw, "share": 0.3, "length": 3.0, "dimensions": 5, "images": 9,
         "fooled": rate + 0.001 * draw}
        for kind, rate, draws in (("curved", curved, 20), ("negative", curved, 20), ("random", random, 20), ("uap", uap, 1))
        for draw in range(draws)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(fooled=table["fooled"] * (1 + 0.01 * (table["draw"] * 7 % 5)))


def test_verdicts() -> None:
    def verdicts(table: pd.DataFrame) -> dict[str, str]:
        return {c.claim: c.verdict for c in CurvedUniversal(CurvedUniversal.Params()).claims(table)}

    assert verdicts(made_up(0.8, 0.1, 0.9)) == {"above-random": "holds", "near-uap": "holds"}
    assert verdicts(made_up(0.1, 0.3, 0.9)) == {"above-random": "does not hold", "near-uap": "does not hold"}
    assert verdicts(made_up(0.1, 0.0, 0.0))["near-uap"] == "not measured"
    # where the UAP fools next to nothing, as at small lengths, others reach it by chance
    assert verdicts(made_up(0.04, 0.01, 0.03))["near-uap"] == "not measured"


def test_bases_of_lanczos_and_of_dense_are_taken_alike() -> None:
    dense, lanczos = (
        table_of(basis=basis, pairs=2, shares=[0.6]).set_index("perturbation") for basis in ("dense", "lanczos")
    )
    assert dense.loc["curved", "fooled"].min() == lanczos.loc["curved", "fooled"].min() == 1
