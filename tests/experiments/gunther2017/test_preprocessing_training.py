"""Networks trained under a perturbation: recipes, rows by hand, claims in both directions, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.preprocessing_training_measure import recipe_under, trained_network
from advlab.experiments.gunther2017.strength_settings import setting_of
from torch import nn

from advlab import testing
from advlab.attacks import FGV
from advlab.config import components
from advlab.defenses import Blur, Chain, Noise, Round, Shift
from advlab.errors import ArgumentError, ConfigError
from advlab.statistics.families import simultaneous

Training = components.REGISTRIES["experiment"].load("preprocessing_training")
MODEL = {"name": "lenet", "input": [1, 20, 20], "classes": 3, "hidden": 10}
RECIPE = {"name": "toy", "epochs": 3, "batch_size": 10, "lr": 0.02, "augment": ["crop:1"]}
DEFENSES = {"shift:2": Shift(pixels=2), "blur:1.5": Blur(sigma=1.5), "noise:8": Noise(sigma=8 / 255)}


def context(**params: Any) -> Any:
    """Three classes of stripes, bright in the left, the middle or the right."""
    x = 0.3 * torch.rand(60, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 3
    for i, label in enumerate(labels.tolist()):
        x[i, :, :, 6 * label : 6 * label + 6] += 0.3
    few = {"seeds": 1, "attacks": ["fgv"], "samples": 40, "perturbations": list(DEFENSES)}
    options = {f"experiment.{key}": value for key, value in {**few, **params}.items()}
    network = nn.Sequential(nn.Flatten(), nn.Linear(400, 3))
    return testing.context(
        "preprocessing_training", network, x, labels, {"model": MODEL, "recipe": RECIPE, **options}, batch_size=50
    )


def test_the_perturbation_is_the_last_augmentation_before_an_adversary() -> None:
    recipe = context().settings.recipe
    assert recipe_under(recipe, "plain") == recipe
    assert recipe_under(recipe, "shift:2").augment == ["crop:1", "shift:2"]
    assert recipe_under(recipe, "noise:0.5").augment == ["crop:1", "grey_noise:0.5", "round"]
    robust = replace(recipe, augment=["flip", "pgd_linf:0.1,0.05,2"])
    assert recipe_under(robust, "blur:1.5").augment == ["flip", "blur:1.5", "round", "pgd_linf:0.1,0.05,2"]
    assert {name: setting_of(name).defense for name in DEFENSES} == DEFENSES


def test_rows_are_those_of_networks_trained_and_attacked_by_hand() -> None:
    ctx = context()
    table = testing.measured(ctx)
    x, labels = ctx.images_and_labels(ctx.order(40))
    augment = {
        "plain": [],
        "shift:2": ["shift:2"],
        "blur:1.5": ["blur:1.5", "round"],
        "noise:8": ["grey_noise:8", "round"],
    }
    digests = set()
    for trained, own in augment.items():
        classifier = ctx.train(replace(ctx.settings.recipe, augment=["crop:1", *own]), seed=0)
        assert trained_network(ctx, 0, trained).digest() == classifier.digest()
        classifier.requires_grad_(False).eval()
        digests.add(classifier.digest())
        result = FGV(discrete=True)(classifier, x, labels)
        adv, truth = result.adv[result.success], labels[result.success]
        rows = table[table["trained"] == trained]
        shown = list(DEFENSES) if trained == "plain" else [trained]
        assert sorted(rows["shown"]) == sorted([*shown, *shown, "none"])
        assert (rows["weights"] == classifier.digest()[:12]).all()
        for name in shown:
            behind = Chain(of=(DEFENSES[name], Round()))(classifier)
            (row,) = rows[(rows["shown"] == name) & (rows["images"] == "FGV")].itertuples()
            assert (row.tried, row.total) == (int(result.eligible.sum()), len(adv))
            assert row.right == int((behind(adv).argmax(1) == truth).sum())
            norms = (adv - x[result.success]).flatten(1).norm(dim=1)
            assert row.median_l2 == pytest.approx(float(norms.median()), rel=1e-5)
            (row,) = rows[(rows["shown"] == name) & (rows["images"] == "clean")].itertuples()
            assert (row.total, row.right) == (40, int((behind(x).argmax(1) == labels).sum()))
        (row,) = rows[rows["shown"] == "none"].itertuples()
        assert (row.images, row.right) == ("clean", int((classifier(x).argmax(1) == labels).sum()))
    assert len(digests) == 4


def made_up(loss: float, less: float) -> pd.DataFrame:
    """Networks trained under shift:1 that lose so much accuracy, and of whose images so much less is corrected."""
    lines = []
    for seed, noise in enumerate(np.linspace(-2, 2, 8).round().astype(int).tolist()):
        shares = {
            ("plain", "none", "clean"): 0.99, ("plain", "shift:1", "clean"): 0.98, ("plain", "shift:1", "FGS"): 0.7,
            ("shift:1", "none", "clean"): 0.99, ("shift:1", "shift:1", "clean"): 0.99 - loss,
            ("shift:1", "shift:1", "FGS"): 0.7 - less,
        }  # fmt: skip
        for (trained, shown, images), share in shares.items():
            right = round(10_000 * share) + noise * (trained != "plain")
            lines.append([seed, trained, shown, images, 10_000, 10_000, right, 1.5, "abc"])
    return pd.DataFrame(lines, columns=list(Training.Row.__dataclass_fields__)).assign(run="test")


@pytest.mark.parametrize(
    ("loss", "less", "verdicts"),
    [
        (0.0, 0.0, ("holds", "holds", "holds")),
        (-0.005, -0.2, ("holds", "holds", "holds")),
        (0.012, 0.2, ("does not hold", "does not hold", "does not hold")),
        (0.005, 0.04, ("does not hold", "holds", "holds")),
    ],
)
def test_verdicts(loss: float, less: float, verdicts: tuple[str, ...]) -> None:
    experiment, table = Training(Training.Params()), made_up(loss, less)
    claims = simultaneous(experiment.claims(table))
    assert [claim.claim for claim in claims] == ["training-prevents-loss", "training-gains", "corrects-as-much"]
    assert tuple(claim.verdict for claim in claims) == verdicts
    assert [claim.estimate for claim in claims] == pytest.approx([loss, 0.01 - loss, less], abs=1e-9)
    summary = experiment.summary(table).set_index(["trained", "shown", "images"])
    assert summary.loc[("shift:1", "shift:1", "FGS"), "right"] == pytest.approx(0.7 - less)
    assert summary.loc[("plain", "shift:1", "FGS"), "success"] == 1.0


def test_an_attack_that_finds_nothing_is_not_measured() -> None:
    table = made_up(0.0, 0.0)
    table.loc[table["images"] == "FGS", ["total", "right"]] = 0
    experiment = Training(Training.Params())
    assert experiment.claims(table)[-1].verdict == "not measured"
    experiment.plot(table)


@pytest.mark.parametrize("text", ["shift:1.5", "shift", "blur:0", "noise:-1", "crops:5", "noise:inf"])
def test_perturbations_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="perturbations must be shift:PIXELS"):
        Training.Params(perturbations=[text])


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="named once each"):
        Training.Params(perturbations=["blur:1", "blur:1.0"])
    with pytest.raises(ConfigError, match="defense=blur: preprocessing_training puts its own"):
        testing.settings_of("preprocessing_training", {"model": MODEL, "recipe": RECIPE, "defense": {"name": "blur"}})
    with pytest.raises(ConfigError, match="preprocessing_training needs attacks on single images"):
        testing.settings_of("preprocessing_training", {"model": MODEL, "recipe": RECIPE, "experiment.attacks": ["uap"]})
    with pytest.raises(ConfigError, match="needs a recipe to train"):
        testing.settings_of("preprocessing_training", {"model": MODEL, "recipe": {"name": "none"}})
