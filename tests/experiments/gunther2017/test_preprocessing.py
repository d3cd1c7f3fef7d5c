"""Table 2: rows against the steps by hand, natural errors and their norms in closed form, and verdicts on made-up tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.adversarial_stages import adversarial_stages, variants
from advlab.experiments.gunther2017.adversarial_stages_measure import adversarial_images, make_adversarial
from advlab.experiments.gunther2017.integral_images import followed_by_integers
from torch import nn

from advlab import testing
from advlab.attacks import FGS, FGV, HotCold
from advlab.config import components
from advlab.defenses import Chain, Combined, Crops, Defense, Noise, Round
from advlab.defenses.transforms.from_plugin import PluginTransform
from advlab.errors import ArgumentError, ConfigError

Preprocessing = components.REGISTRIES["experiment"].load("preprocessing")


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def images_and_labels(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    images = (torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 215 + 20).round() / 255
    labels = linear()(images).argmax(1)
    labels[:3] = (labels[:3] + 1) % 4  # natural errors
    return images, labels


def test_rows_are_those_of_the_steps_by_hand() -> None:
    images, labels = images_and_labels()
    options = {"experiment.defenses": ["none", "noise", "combined", "crops"], "experiment.arithmetic": ["float32"]}
    table = testing.measured(testing.context("preprocessing", linear(), images, labels, options))
    whole = Round()
    defenses: dict[str, Defense] = {"noise": Chain(of=(Noise(), whole)), "combined": Combined(), "crops": Crops()}
    for name, attack in {
        "FGS": FGS(discrete=True, arithmetic="float32"),
        "FGV": FGV(discrete=True, arithmetic="float32"),
        "HC-1": HotCold(discrete=True),
    }.items():
        result = attack(linear().eval(), images, labels)
        fooled = sorted(result.success.nonzero()[:, 0].tolist())
        assert 20 < len(fooled) <= 27
        for defense in options["experiment.defenses"]:
            network = defenses[defense](linear().eval()) if defense != "none" else linear().eval()
            rows = table[(table["images"] == name) & (table["defense"] == defense)].sort_values("sample")
            assert rows["sample"].tolist() == fooled
            assert rows["prediction"].tolist() == network(result.adv).argmax(1)[fooled].tolist()
            norms = (result.adv - images).flatten(1).norm(dim=1)[fooled].tolist()
            assert rows["l2"].tolist() == pytest.approx(norms, rel=1e-5)
            assert (rows["plain"] != rows["label"]).all()
    undefended = table[(table["defense"] == "none") & (table["images"] != "clean")]
    assert (undefended["prediction"] == undefended["plain"]).all()


def test_natural_errors_are_as_far_from_their_label_as_the_boundary() -> None:
    images, labels = images_and_labels()
    options = {"experiment.defenses": ["none"], "experiment.attacks": ["fgs"], "experiment.controls": 4}
    table = testing.measured(testing.context("preprocessing", linear(), images, labels, options))
    clean = table[table["images"] == "clean"].set_index("sample")
    assert len(clean) == 30
    layer = linear().requires_grad_(False)[1]  # type: ignore[index]
    for sample in range(3):
        gaps = layer(images[sample].flatten()) - layer(images[sample].flatten())[labels[sample]]
        weights = (layer.weight - layer.weight[labels[sample]]).norm(dim=1)
        # to be the highest of four, the label must pass every other: at least as far as the farthest boundary
        assert clean["l2"][sample] >= float((gaps / weights.clamp_min(1e-9)).max()) * 0.999
        assert clean["l2"][sample] < 3
    right = clean.drop([0, 1, 2])
    assert right["l2"].notna().sum() == 4
    for sample in right.index[right["l2"].notna()]:
        logits = layer(images[sample].flatten())
        own = int(logits.argmax())
        distances = [
            float((logits[own] - logits[k]) / (layer.weight[own] - layer.weight[k]).norm())
            for k in range(4)
            if k != own
        ]
        assert right["l2"][sample] == pytest.approx(min(distances), rel=0.05)


def test_the_arithmetic_is_that_of_attacks_along_a_loss() -> None:
    images, labels = images_and_labels(12)
    table = testing.measured(
        testing.context("preprocessing", linear(), images, labels, {"experiment.defenses": ["none"]})
    )
    kinds = list(dict.fromkeys(zip(table["images"], table["arithmetic"].fillna(""), strict=True)))
    assert kinds == [
        ("clean", ""), ("FGS", "exact"), ("FGS", "float32"), ("FGV", "exact"), ("FGV", "float32"), ("HC-1", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("how", "expected"), [("nearest", [3, 0, 4]), ("zero", [2, 0, 3]), ("none", [2.6, -1.0, 3.9])])
def test_results_become_whole_grey_levels(how: Any, expected: list[float]) -> None:
    class Offset(Defense):
        def stages(self, bounds: Any, fitted: Any) -> Any:
            return [PluginTransform(lambda x: x - 1 / 255, {}, name="o", differentiable=True, random=False, seed=0)]

    x = torch.tensor([3.6, 0.0, 4.9], dtype=torch.float64).view(1, 1, 1, 3) / 255
    found = followed_by_integers(Offset(), how)(nn.Identity())(x)
    assert (found * 255).flatten().tolist() == pytest.approx(expected)
    assert followed_by_integers(Noise(), "none") == Noise(clip=False)
    assert followed_by_integers(Combined(), how) == Combined(integers=how)


def made_up(shares: dict[str, float], clean: dict[str, float], count: int = 1000) -> pd.DataFrame:
    """Rows of FGS and of clean images, of which the first are right behind each defense."""
    rows = [
        {"images": images, "arithmetic": "exact" if images == "FGS" else "", "defense": defense, "sample": i, "label": 1,
         "plain": int(images == "clean" and i < 990), "prediction": int(i < share * count), "l2": 1.0}
        for images, of in (("FGS", shares), ("clean", clean)) for defense, share in of.items() for i in range(count)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(run="test")


PAPER = {"none": 0.0, "noise": 0.29, "blur": 0.61, "shift": 0.68, "combined": 0.64, "crops": 0.9}


def test_verdicts() -> None:
    experiment = Preprocessing(Preprocessing.Params())
    holding = experiment.claims(made_up(PAPER, {"none": 0.99, "noise": 0.99, "crops": 0.99}))
    assert {claim.claim for claim in holding} == {
        "noise-lowest", "crops-highest", "crops-at-least", "crops-at-most", "combined-not-better", "clean-loss",
    }  # fmt: skip
    assert {claim.verdict for claim in holding} == {"holds"}
    best = next(claim for claim in holding if claim.claim == "combined-not-better")
    assert best.estimate == pytest.approx(-0.04)
    assert "shift" in best.quantity
    other = {"none": 0.0, "noise": 0.9, "blur": 0.3, "shift": 0.2, "combined": 0.98, "crops": 0.7}
    failing = {c.claim: c for c in experiment.claims(made_up(other, {"none": 0.99, "noise": 0.9, "crops": 0.9}))}
    for name in ("crops-at-least", "combined-not-better", "clean-loss"):
        assert failing[name].verdict == "does not hold"
    verdicts = {(c.claim, c.subset): c.verdict for c in experiment.claims(made_up(other, {"none": 0.99}))}
    assert verdicts[("noise-lowest", "FGS, blur")] == "does not hold"
    assert verdicts[("crops-highest", "FGS, combined")] == "does not hold"
    assert verdicts[("crops-highest", "FGS, blur")] == "holds"
    assert verdicts[("clean-loss", "noise")] == "not measured"


def test_summary() -> None:
    table = made_up(PAPER, {"none": 0.99, "crops": 0.995})
    table.loc[(table["images"] == "clean") & (table["sample"] >= 990), "l2"] = 0.25
    summary = Preprocessing(Preprocessing.Params()).summary(table).set_index(["images", "defense"])
    assert summary.loc[("FGS", "noise"), "right"] == 0.29
    crops = summary.loc[("clean", "crops")]
    assert (crops["natural_errors"], crops["errors_right"], crops["median_l2_errors"], crops["median_l2"]) == (
        10,
        0.5,
        0.25,
        1.0,
    )
    assert math.isnan(summary.loc[("FGS", "noise"), "natural_errors"])


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="arithmetic must name each once"):
        Preprocessing.Params(arithmetic=["exact", "exact"])
    with pytest.raises(ConfigError, match=r"experiment.attacks=uap: preprocessing needs attacks on single images"):
        testing.settings_of("preprocessing", {"experiment.attacks": ["uap"]})
    with pytest.raises(ArgumentError, match="defenses must name at least one"):
        Preprocessing.Params(defenses=[])


def test_rows_do_not_depend_on_the_stages_storage() -> None:
    """Whole grey levels are kept as bytes, other images as floats: both are read to the bit."""
    images, labels = images_and_labels()
    ctx = testing.context("preprocessing", linear(), images, labels, {"experiment.attacks": ["fgv"]})
    for discrete, dtype in ((True, np.uint8), (False, np.float32)):
        attack = FGV(discrete=discrete)
        arrays, _ = make_adversarial(ctx, attack, list(range(30)))
        assert arrays["adv"].dtype == dtype
        (kind,) = variants({"fgv": attack}, ["exact"])
        (stage,) = adversarial_stages(ctx, [kind], list(range(30)))
        read, _ = stage.make()
        expected = attack(linear().eval(), images, labels).adv

        class Read:
            device = torch.device("cpu")

            @staticmethod
            def stage(_: str, arrays: Any = read) -> Any:
                return type("Kept", (), {"arrays": arrays})

        assert torch.equal(adversarial_images(Read(), kind.id), expected)  # type: ignore[arg-type]
