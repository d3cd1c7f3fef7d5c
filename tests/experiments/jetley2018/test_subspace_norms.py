"""Shares of perturbations in subspaces of a network that two pixels decide, and the claims on made tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.jetley2018.perturbation_stages_measure import (
    gradients,
    logit_cotangent,
    loss_cotangent,
    universal_sets,
)
from advlab.experiments.jetley2018.subspace_norms_claims import group_correlations

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError
from advlab.statistics import simultaneous
from tests.helpers.squares_network import SIZE, Squares, context

SubspaceNorms = components.REGISTRIES["experiment"].load("subspace_norms")
SMALL: dict[str, Any] = {"samples": 40, "universal": 2, "universal_images": 30, "draws": 2}


def test_perturbations_lie_in_the_two_pixels_that_decide_and_random_vectors_anywhere() -> None:
    found = testing.measured(context("subspace_norms", dimensions=[0, 1, SIZE], **SMALL))
    shares = found.groupby(["perturbation", "subspace", "d"])["share"].mean()
    for kind in ("deepfool", "fgsm", "saliency", "uap"):
        for curved in ("pos", "neg", "neg+pos", "most"):
            assert shares[(kind, curved, 1)] == pytest.approx(1, abs=1e-5), (kind, curved)
        assert shares[(kind, "flat", 1)] == pytest.approx(0, abs=1e-3)
    assert shares[("random", "pos", 1)] == pytest.approx((2 / SIZE) ** 0.5, abs=0.1)
    assert (found.loc[found["d"] == 0, "share"] == 0).all()
    assert found.loc[found["d"] == SIZE, "share"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert found["expected"].to_numpy() == pytest.approx(np.sqrt(found["rank"] / SIZE))
    groups = found.groupby("perturbation")["group"].unique()
    assert set(groups["uap"]) == {0, 1}
    assert set(groups["deepfool"]) == {0, 1}
    of_classes = found[(found["perturbation"] == "fgsm") & (found["subspace"] == "pos") & (found["d"] == 1)]
    assert of_classes["perturbations"].sum() == 40


def test_gradients_are_those_of_autograd_whatever_the_batch() -> None:
    ctx = context("subspace_norms", batch_size=3, **SMALL)
    samples = list(range(10))
    x, labels = ctx.images_and_labels(samples)
    leaf = x.clone().requires_grad_()
    logits = Squares()(leaf)
    (of_logit,) = torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), leaf, retain_graph=True)
    (of_loss,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"), leaf)
    saliency, _ = gradients(ctx, samples, logit_cotangent, False)
    np.testing.assert_allclose(saliency["delta"], of_logit.flatten(1).numpy(), rtol=1e-5)
    fgsm, _ = gradients(ctx, samples, loss_cotangent, True)
    np.testing.assert_array_equal(fgsm["delta"], of_loss.flatten(1).sign().numpy())
    np.testing.assert_array_equal(fgsm["groups"], labels.numpy())


def test_universal_perturbations_have_images_of_their_own() -> None:
    ctx = context("subspace_norms", **SMALL)
    sets = universal_sets(ctx, SubspaceNorms.Params(universal=9, universal_images=30))
    assert [len(chosen) for chosen in sets] == [30] * 4  # of the 120 that are not measured
    assert len({i for chosen in sets for i in chosen}) == 120
    assert universal_sets(ctx, SubspaceNorms.Params(universal=2, universal_images=500)) == [
        [i for chosen in sets for i in chosen]
    ]
    with pytest.raises(ArgumentError, match="perturbations must name at least one"):
        SubspaceNorms.Params(perturbations=[])


SPACES = ("pos", "neg", "neg+pos", "flat", "most", "random")


def made(*, follows: bool) -> pd.DataFrame:
    """Ten groups: shares that follow the accuracy over d and subspaces, or the rank alone, and random vectors."""
    draws = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for kind in ("deepfool", "random"):
        for d in (1, 2, 5, 15, 30, 784):
            for k, space in enumerate(SPACES):
                rank = min(10 * d * (1 + (space == "neg+pos")), 784)
                useful = rank / 784 if space in ("flat", "random") else (rank / 784) ** (0.15 + 0.02 * k)
                for group in range(10):
                    share = useful if follows and kind == "deepfool" else (rank / 784) ** 0.5
                    share *= 1 if rank == 784 else 1 + 0.01 * draws.normal()
                    rows.append(
                        {
                            "subspace": space, "d": d, "draw": 0, "perturbation": kind, "group": group, "classes": 10,
                            "rank": rank, "dimension": 784, "perturbations": 9, "share": share,
                            "expected": (rank / 784) ** 0.5, "accuracy_images": 1000, "correct": round(1000 * useful),
                            "run": "made",
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    params = SubspaceNorms.Params(perturbations=["deepfool", "random"])
    return {claim.claim: claim.verdict for claim in simultaneous(SubspaceNorms(params).claims(table))}


def test_claims_of_a_made_table() -> None:
    assert set(verdicts(made(follows=True)).values()) == {"holds"}
    unlike = verdicts(made(follows=False))
    assert unlike["norm-where-accuracy"] == "does not hold"
    assert unlike["above-random-vectors"] != "holds"
    assert unlike["high-in-curved"] != "holds"
    assert set(verdicts(made(follows=True).iloc[:0]).values()) == {"not measured"}


def test_correlations_are_over_subspaces_that_are_neither_nothing_nor_all_and_not_random() -> None:
    table = made(follows=True)
    rows = table[table["perturbation"] == "deepfool"]
    rhos = group_correlations(rows)
    own = rows[(rows["group"] == 3) & (rows["rank"] < 784) & (rows["subspace"] != "random")]
    assert rhos[3] == pytest.approx(own["share"].corr(own["correct"], method="spearman"))
    assert len(rhos) == 10
    line = SubspaceNorms(SubspaceNorms.Params()).summary(table).set_index("perturbation").loc["deepfool"]
    assert (line["groups"], line["points"]) == (10, 25)
