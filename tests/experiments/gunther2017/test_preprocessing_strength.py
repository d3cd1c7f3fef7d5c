"""Sweeps against defenses by hand, images beyond the smallest weight, norms of attacks that know the defense, and verdicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.preprocessing_strength_measure import direction, moved, norms_through
from advlab.experiments.gunther2017.strength_claims import norm_ratios
from torch import nn

from advlab import testing
from advlab.attacks import FGS, FGV, DeepFool, HotCold
from advlab.config import components
from advlab.defenses import Blur, Chain, Crops, Defense, Noise, Round, Shift
from advlab.errors import ArgumentError, ConfigError
from advlab.plotting.style import style
from tests.helpers.drawn import faults, texts

Strength = components.REGISTRIES["experiment"].load("preprocessing_strength")
FEW = {
    "experiment.attacks": ["fgv"], "experiment.defenses": ["blur", "noise"], "experiment.adaptive": ["deepfool", "fgv"],
    "experiment.arithmetic": ["exact"], "experiment.shifts": [2], "experiment.sigmas": [1.5], "experiment.noises": [8.0],
    "experiment.grids": [3], "experiment.factors": [1.0, 1.5], "experiment.adaptive_samples": 30,
}  # fmt: skip


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).requires_grad_(False).eval()


def images_and_labels(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    images = (torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 215 + 20).round() / 255
    labels = linear()(images).argmax(1)
    labels[0] = (labels[0] + 1) % 4
    return images, labels


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    images, labels = images_and_labels()
    return testing.measured(testing.context("preprocessing_strength", linear(), images, labels, FEW))


def test_sweeps_are_those_of_the_defenses_by_hand(table: pd.DataFrame) -> None:
    images, labels = images_and_labels()
    adv = FGV(discrete=True)(linear(), images, labels)
    fooled = sorted(adv.success.nonzero()[:, 0].tolist())
    defenses: dict[str, Defense] = {
        "shift": Shift(pixels=2), "blur": Blur(sigma=1.5), "noise": Noise(sigma=8 / 255), "crops": Crops(grid=3),
        "half-pixel crops": Crops(grid=3, spacing=0.5),
    }  # fmt: skip
    for sweep, defense in defenses.items():
        network = Chain(of=(defense, Round()))(linear())
        for kind, shown, index in (("clean", images, range(30)), ("FGV", adv.adv[fooled], fooled)):
            rows = table[(table["sweep"] == sweep) & (table["images"] == kind)].sort_values("sample")
            assert rows["sample"].tolist() == list(index)
            assert rows["prediction"].tolist() == network(shown).argmax(1).tolist()
            assert set(rows["strength"]) == {{"shift": 2, "blur": 1.5, "noise": 8}.get(sweep, 9)}


@pytest.mark.parametrize("attack", [FGS(discrete=True), FGV(discrete=True), HotCold(discrete=True), FGV()])
def test_images_beyond_the_smallest_weight(attack: Any) -> None:
    """At the weight itself they are the attack's own; at another, those that the attack makes with it."""
    images, labels = images_and_labels()
    ctx = testing.context("preprocessing_strength", linear(), images, labels, FEW)
    result = attack(linear(), images, labels)
    index = result.success.nonzero()[:, 0]
    x, y, weight = images[index], labels[index], result.epsilon[index].double()
    eta = direction(ctx, attack, x, y)
    again = moved(attack, x, eta, weight)
    assert float((again - result.adv[index]).abs().max()) < (1.01 / 255 if attack.discrete else 1e-5)
    assert float((again != result.adv[index]).float().mean()) < 0.01 or not attack.discrete
    farther = type(attack)(epsilon=0.3)(linear(), x, y).adv
    assert torch.allclose(moved(type(attack)(), x, eta, torch.full((len(x),), 0.3)), farther, atol=1e-5)
    last = moved(attack, x, eta, 1.5 * weight)
    way, longer = ((images - x).abs().sum((1, 2, 3)) for images in (again, last))
    assert bool((longer >= way).all())  # one grey level and a half is rounded to one
    assert float(longer.mean()) > 1.2 * float(way.mean())


def test_minimality_of_a_linear_network(table: pd.DataFrame) -> None:
    rows = table[(table["sweep"] == "beyond") & (table["images"] == "FGV")]
    none = rows[rows["defense"] == "none"]
    assert (none["prediction"] == none["plain"]).all()
    assert (none["prediction"] != none["label"]).all()
    blur = rows[rows["defense"] == "blur"]
    right = blur.assign(right=blur["prediction"] == blur["label"]).groupby("factor")["right"].mean()
    assert right[1.5] <= right[1.0]


def test_norms_of_adaptive_attacks_are_distances_to_the_boundary_of_the_defended_network() -> None:
    """Of a linear network behind a blur, which is linear too: the margin over the norm of the blurred difference of weights."""
    images, labels = images_and_labels()
    ctx = testing.context("preprocessing_strength", linear(), images, labels, FEW)
    forward = ctx.defended(Blur())
    found = norms_through(ctx, DeepFool(refine=True), forward, images, labels)
    blurred = Blur()(linear())
    weights = torch.autograd.functional.jacobian(lambda x: blurred(x)[0], images[:1]).flatten(1)
    logits = blurred(images)
    right = logits.argmax(1) == labels
    assert torch.equal(torch.isnan(found), ~right)
    for i in right.nonzero()[:, 0].tolist():
        own = int(labels[i])
        distances = [
            float((logits[i, own] - logits[i, k]) / (weights[own] - weights[k]).norm()) for k in range(4) if k != own
        ]
        assert min(distances) * 0.999 <= float(found[i]) < min(distances) * 1.06


def test_adaptive_rows_hold_the_smallest_of_all_attacks(table: pd.DataFrame) -> None:
    images, labels = images_and_labels()
    rows = table[(table["sweep"] == "adaptive") & (table["defense"] == "none")].sort_values("sample")
    assert len(rows) == 30
    assert math.isnan(rows["l2"].iloc[0])
    norms = [
        (attack(linear(), images, labels).adv - images).flatten(1).norm(dim=1)
        for attack in (DeepFool(), FGV(discrete=True))
    ]
    assert rows["l2"].tolist()[1:] == pytest.approx(torch.stack(norms).amin(0)[1:].tolist(), rel=1e-4)
    ratios = norm_ratios(table, "noise")
    assert len(ratios) > 20
    assert float(np.median(ratios)) == pytest.approx(1.0, abs=0.2)


def made_up() -> pd.DataFrame:
    """FGS images: more is corrected by larger shifts, nothing survives crops, and little is corrected beyond the weight."""
    lines = []

    def add(
        images: str, sweep: str, defense: str, strength: float, factor: float, right: float, stays: float = 0.0
    ) -> None:
        for i in range(400):
            prediction = 1 if i < right * 400 else 2 if i >= (1 - stays) * 400 else 3
            lines.append([images, "", sweep, defense, strength, factor, i, 1, 2, prediction, math.nan])

    for strength, share, accuracy in ((1.0, 0.5, 0.99), (4.0, 0.8, 0.9)):
        add("FGS", "shift", "shift", strength, 1.0, share)
        add("clean", "shift", "shift", strength, 1.0, accuracy)
        add("FGS", "crops", "crops", strength, 1.0, 0.9, stays=0.1 if strength == 1 else 0.0)
    for factor, share in ((1.0, 0.9), (1.5, 0.2)):
        add("FGS", "beyond", "crops", 0.0, factor, share)
    for i in range(40):
        for defense, l2 in (("none", 1.0), ("crops", 1.2), ("blur", math.inf)):
            lines.append(["adaptive", "", "adaptive", defense, 0.0, 1.0, i, 1, -1, -1, l2 if i else math.nan])
    return pd.DataFrame(lines, columns=list(Strength.Row.__dataclass_fields__)).assign(run="test")


def test_verdicts_and_summary() -> None:
    experiment, table = Strength(Strength.Params()), made_up()
    verdicts = {(claim.claim, claim.subset): claim.verdict for claim in experiment.claims(table)}
    assert verdicts == {
        ("stronger-corrects-more", "FGS, shift"): "holds", ("stronger-costs-accuracy", "shift"): "holds",
        ("survives-most-crops", "FGS, crops"): "holds", ("minimality", "FGS, crops"): "holds",
        ("no-farther", "crops"): "holds", ("no-farther", "blur"): "does not hold",
    }  # fmt: skip
    turned = table.assign(strength=-table["strength"], factor=2 - table["factor"])
    verdicts = {(claim.claim, claim.subset): claim.verdict for claim in experiment.claims(turned)}
    for name in (
        ("stronger-corrects-more", "FGS, shift"),
        ("survives-most-crops", "FGS, crops"),
        ("minimality", "FGS, crops"),
    ):
        assert verdicts[name] == "does not hold"
    assert norm_ratios(table, "crops") == [1.2] * 39
    assert np.isinf(norm_ratios(table, "blur")).all()
    summary = experiment.summary(table)
    crops = summary[(summary["sweep"] == "adaptive") & (summary["defense"] == "crops")].iloc[0]
    assert (crops["ratio"], crops["right"], crops["number"]) == (1.2, 0.0, 39)


def test_the_whole_figure_fits_a_column_of_a_paper() -> None:
    """Every sweep, three attacks and all defenses: at most nine inches, and no text on another."""
    params, one = Strength.Params(), made_up()
    parts = []
    for kind in ("clean", "FGS", "FGV", "HC-1"):
        for sweep, strengths in (
            ("shift", params.shifts), ("blur", params.sigmas), ("noise", params.noises),
            ("crops", [n**2 for n in params.grids]), ("half-pixel crops", [n**2 for n in params.grids]),
        ):  # fmt: skip
            row = one[one["sweep"] == "shift"].head(2).assign(images=kind, sweep=sweep, defense=sweep.split()[-1])
            parts += [row.assign(strength=float(strength)) for strength in strengths]
        row = one[one["sweep"] == "beyond"].head(2).assign(images=kind)
        parts += [row.assign(defense=name, factor=f) for name in params.defenses for f in params.factors]
    adaptive = one[one["sweep"] == "adaptive"]
    parts.append(adaptive[adaptive["defense"] == "none"])
    parts += [adaptive[adaptive["defense"] == "crops"].assign(defense=name) for name in params.defenses]
    with style("column"):
        figure = Strength(params).plot(pd.concat(parts, ignore_index=True))
        assert faults(figure, texts(figure)) == []
    assert len(figure.axes) == 5 + 3 + 1
    assert figure.get_figheight() <= 9


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="grids must name each once"):
        testing.settings_of("preprocessing_strength", {"experiment.grids": [12, 12]})
    with pytest.raises(ConfigError, match="preprocessing_strength needs attacks with a smallest weight"):
        testing.settings_of("preprocessing_strength", {"experiment.attacks": ["deepfool"]})
    with pytest.raises(ConfigError, match=r"experiment.adaptive=uap: preprocessing_strength needs"):
        testing.settings_of("preprocessing_strength", {"experiment.adaptive": ["uap"]})
    with pytest.raises(ArgumentError, match="factors must be at least 1"):
        Strength.Params(factors=[0.5, 1.0])
    with pytest.raises(ArgumentError, match="shifts and grids must be at least 1"):
        Strength.Params(shifts=[0])
