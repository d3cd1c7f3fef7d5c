"""Networks trained with penalties: closed forms of a linear network, pairs by hand, claims, refusals and one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.gradient_penalty_claims import against_plain
from advlab.experiments.aghdam2017.gradient_penalty_measure import (
    score_ranges,
    smallest_perturbations,
    trained_network,
)
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.errors import AdvlabError, ConfigError
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.probes.draws import Draws
from advlab.statistics import median_interval
from advlab.statistics.families import FAMILY_ERROR
from advlab.training.first_images import first_images
from tests.helpers.commands import Ended

GradientPenalty = components.REGISTRIES["experiment"].load("gradient_penalty")
OPTIONS = {
    "model": {"name": "mlp", "hidden": [16], "input": [1, 6, 6], "classes": 3},
    "recipe": {"name": "toy", "epochs": 2, "precision": "bf16"},
}


def context(**params: Any) -> Any:
    x = torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    options = {f"experiment.{key}": value for key, value in {"train_images": 30, "images": 8, **params}.items()}
    return testing.context("gradient_penalty", None, x, torch.arange(40) % 3, {**OPTIONS, **options})


def linear() -> tuple[Forward, Tensor, Tensor]:
    """A linear network near whose grey images the boundaries are, and its weights and biases."""
    torch.manual_seed(0)
    layer = nn.Linear(36, 3)
    classifier = Classifier(nn.Sequential(nn.Flatten(), layer), name="linear", shape=(1, 6, 6), mean=None, std=None)
    forward = Forward(classifier.requires_grad_(False), Execution(7, "contiguous", "float32"))
    return forward, layer.weight.double(), layer.bias.double()


def test_perturbations_of_a_linear_network_are_its_margins() -> None:
    forward, weight, bias = linear()
    x = 0.5 + 0.1 * torch.rand(12, 1, 6, 6)
    logits = x.flatten(1).double() @ weight.T + bias
    labels = logits.argmax(1)
    labels[3] = (labels[3] + 1) % 3
    lengths, correct = smallest_perturbations(context(), forward, x, labels)
    assert correct == [i != 3 for i in range(12)]
    assert np.isnan(lengths[3])
    for i in set(range(12)) - {3}:
        best = int(labels[i])
        margins = [
            float((logits[i, best] - logits[i, j]) / (weight[best] - weight[j]).norm()) for j in range(3) if j != best
        ]
        assert lengths[i] == pytest.approx(min(margins), rel=0.02)


def test_ranges_are_those_of_the_scores_over_the_draws_of_isotropy() -> None:
    forward, weight, bias = linear()
    ctx = context(trials=60, radii=[0.1, 3.0])
    x, labels = ctx.images_and_labels([5, 2])
    found = score_ranges(ctx.settings.experiment.params, ctx, forward, x, labels, [5, 2])
    data = ctx.data
    draws = Draws(seed=0, dataset=f"{data.name}/{data.split}", size=36, device=torch.device("cpu"), portable=False)
    noise = torch.empty(4, 60, 36)
    draws.write_directions([(5, 0), (5, 1), (2, 0), (2, 1)], noise)
    for i in range(2):
        for k, radius in enumerate((0.1, 3.0)):
            v = noise[2 * i + k].double()
            logits = (x[i].flatten() + radius * v / v.norm(dim=1, keepdim=True)) @ weight.T + bias
            score = logits.softmax(1)[:, int(labels[i])]
            assert found["range"][i][k] == pytest.approx(float(score.max() - score.min()), rel=1e-3)
            odds = torch.logit(score)
            assert found["logit_range"][i][k] == pytest.approx(float(odds.max() - odds.min()), rel=1e-3)
            assert found["nonfinite"][i][k] == 0


def test_a_seed_has_its_images_and_every_penalty_the_same_in_float32() -> None:
    ctx = context()
    params = ctx.settings.experiment.params
    one, again, other = (first_images(ctx.load_split("train"), params.train_images, seed) for seed in (0, 0, 1))
    assert len(one) == 30
    assert one.digest == again.digest != other.digest
    plain, same = (trained_network(params, ctx, 0, "none") for _ in range(2))
    penalised = trained_network(params, ctx, 0, "gradient:1+hessian:0.0001,0.1")  # which a recipe in bf16 would refuse
    assert plain.digest() == same.digest() != penalised.digest()


def made_up(
    longer: float = 1.0, near: float = 0.5, far: float = 1.0, cost: float = 0.0, seeds: int = 8
) -> pd.DataFrame:
    """Of each seed ten images, the last of which only the plain network classifies correctly, and a penalty with given ratios."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        for sample in range(10):
            length, ranges = np.exp(rng.normal()), np.exp(rng.normal(size=2) - 9)
            for penalty, factors in (("none", (1.0, 1.0, 1.0)), ("gradient:1", (longer, near, far))):
                wobble = np.exp(0.01 * rng.normal(size=3))
                outlier = 1e9 if sample == 9 and penalty != "none" else 1.0
                for k, radius in enumerate((0.1, 10.0)):
                    rows.append(
                        {
                            "run": "toy", "seed": seed, "penalty": penalty, "sample": sample, "radius": radius,
                            "correct": sample < 9 or penalty == "none", "length": length * factors[0] * wobble[0] * outlier,
                            "range": ranges[k] * factors[1 + k] * wobble[1 + k] * outlier, "logit_range": 1.0,
                            "test_images": 1000, "test_correct": 980 - round(1000 * cost * (penalty != "none")) - seed % 2,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(found: pd.DataFrame) -> dict[str, str]:
    return {claim.claim: claim.verdict for claim in GradientPenalty(GradientPenalty.Params()).claims(found)}


def test_pairs_are_images_that_both_classify_correctly() -> None:
    found = made_up(longer=1.3, near=0.5, far=2.0, cost=0.03)
    plain, penalised = (found[found["penalty"] == penalty] for penalty in ("none", "gradient:1"))
    series = against_plain(plain, penalised)
    assert series["longer"].to_numpy() == pytest.approx(1.3, rel=0.02)
    assert series["range_0.1"].to_numpy() == pytest.approx(0.5, rel=0.02)
    assert series["range_10"].to_numpy() == pytest.approx(2.0, rel=0.02)
    assert series["cost"].to_numpy() == pytest.approx(0.03)
    assert list(series["longer"].index) == list(range(8))


def test_a_perturbation_that_was_not_found_is_longer_than_any() -> None:
    rows = [
        {
            "seed": 0, "sample": i, "radius": 1.0, "correct": True, "length": length, "range": 1.0, "logit_range": 1.0,
            "test_correct": 9, "test_images": 10,
        }
        for i, length in enumerate([1.0, 1.0, 1.0, np.nan, np.nan])
    ]  # fmt: skip
    plain = pd.DataFrame(rows)
    lengths = [
        np.nan,
        np.nan,
        2.0,
        np.nan,
        3.0,
    ]  # of five ratios inf, inf, 2, none and 0, the median is between inf and 2
    assert against_plain(plain, plain.assign(length=lengths))["longer"].tolist() == [np.inf]
    assert against_plain(plain, plain.assign(length=[1.5, 2.5, 2.0, np.nan, np.nan]))["longer"].tolist() == [2.0]


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert set(verdicts(made_up()).values()) == {"holds"}
    assert set(verdicts(made_up(longer=1.5, near=1.5, far=0.5, cost=0.1)).values()) == {"does not hold"}
    assert set(verdicts(made_up(seeds=5)).values()) == {"undecided"}
    apart = made_up()
    apart["correct"] = (apart["penalty"] == "none") == (apart["sample"] < 9)  # no image is correct with and without
    assert {name for name, verdict in verdicts(apart).items() if verdict == "not measured"} == {
        "stability-not-improved", "more-isotropic-near", "no-more-isotropic-far",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recipe": "none"}, ConfigError, "needs a recipe"),
        ({"recipe.penalty": ["gradient:1"], "recipe.precision": "float32"}, ConfigError, "leave it out"),
        ({"attack": "pgd"}, ConfigError, "smallest perturbation"),
        ({"attack": "none"}, ConfigError, "smallest perturbation"),
        ({"experiment.penalties": ["gradient"]}, AdvlabError, "write gradient:number"),
        ({"experiment.penalties": ["gradient:1+gradient:2"]}, AdvlabError, "once"),
        ({"experiment.radii": [1.0, 0.1]}, AdvlabError, "ascending"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], error: type[AdvlabError], message: str) -> None:
    with pytest.raises(error, match=message):
        testing.settings_of("gradient_penalty", {**OPTIONS, **options})


def test_as_many_seeds_are_trained_as_decide_for_all_penalties_together() -> None:
    """With six, the interval of each of four medians is open on both sides, and every verdict `undecided`."""
    params = GradientPenalty.Params()
    for seeds in (params.seeds, GradientPenalty.presets("laptop", None, None)["experiment.seeds"]):
        interval = median_interval(np.arange(seeds)).at(1 - FAMILY_ERROR / len(params.penalties))
        assert np.isfinite(interval.low)
    assert np.isinf(median_interval(np.arange(6)).at(1 - FAMILY_ERROR / len(params.penalties)).low)


def test_a_run(cli: Any) -> None:
    line = ["experiment=gradient_penalty", "run.preset=tiny", "recipe.epochs=1", "experiment.penalties=[gradient:0.1]"]
    ended: Ended = cli(*line)
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("gradient_penalty/*/v001/table.csv")
    found = pd.read_csv(path, keep_default_na=False)
    assert set(found["penalty"]) == {"none", "gradient:0.1"}
    assert found.groupby(["seed", "penalty"])["weights"].nunique().eq(1).all()
    assert found["weights"].nunique() == 4
    assert len(found) == 2 * 2 * 4 * 3
    assert list((path.parent / "figures").glob("*.png"))
