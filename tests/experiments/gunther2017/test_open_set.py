"""Table 3 of gunther2017: counts beside networks that are fitted and asked one by one, strengthened images, and verdicts.

Longer than other files: the paper's numbers as a table, with which all verdicts are tried.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.open_set_stages_measure import confident, strengthened
from advlab.experiments.gunther2017.open_set_variants import variants

from advlab import testing
from advlab.config import components
from advlab.defenses import OpenMax
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import NetworkContext
from tests.helpers.noise_classes import CLASS_COUNT, NOISE_SHAPE, images_and_labels, network

OpenSet = components.REGISTRIES["experiment"].load("open_set")
OPTIONS = {
    "experiment.attacks": ["fgv", "deepfool"], "experiment.samples": 60, "experiment.starts": 4, "experiment.aware": 20,
    "experiment.tail_size": 30, "experiment.tail_sizes": [20, 1000], "experiment.pass_images": 0,
    "experiment.levels": [0.5, 0.9], "experiment.lengths": [1.5], "experiment.confidences": [0.9],
}  # fmt: skip


def context(options: dict[str, Any] | None = None, **more: Any) -> NetworkContext:
    ctx: NetworkContext = testing.context(
        "open_set", network(), *images_and_labels(), {**OPTIONS, **(options or {})}, **more
    )
    return ctx


@pytest.fixture(scope="module")
def ctx() -> NetworkContext:
    return context()


@pytest.fixture(scope="module")
def table(ctx: NetworkContext) -> pd.DataFrame:
    return testing.measured(ctx)


def of(table: pd.DataFrame, images: str, **columns: str) -> pd.Series:
    """The one row of a kind of images."""
    rows = table[table["images"] == images]
    for name, value in ({"network": "openmax", "varied": ""} | columns).items():
        rows = rows[rows[name] == value]
    (index,) = rows.index
    return rows.loc[index]


def test_counts_are_of_networks_that_are_asked_one_by_one(ctx: NetworkContext, table: pd.DataFrame) -> None:
    """Each variant as a defense of its own, fitted by itself."""
    pixels, labels = images_and_labels()
    x = pixels.float() / 255
    own = variants(ctx.settings.experiment.params)
    assert len(own) == 19
    for varied, value, defense in own:
        layer = {"auto": "2", "logits": "3"}[defense.layer]  # of a plain module the names are needed
        asked = dataclasses.replace(defense, layer=layer)
        with torch.no_grad():
            found = asked(network(), fitted=asked.fit(ctx.data, network()))(x).argmax(1)
        row = of(table, "test set", varied=varied, value=value)
        assert row["total"] == len(x)
        assert row["correct"] == int((found == labels).sum()), (varied, value)
        assert row["unknown"] == int((found == CLASS_COUNT).sum()), (varied, value)
    unknown = table[(table["images"] == "test set") & (table["network"] == "openmax")]["unknown"]
    assert unknown.nunique() > 5  # the variants do differ


def test_outcomes_add_up_and_the_plain_network_corrects_nothing(table: pd.DataFrame) -> None:
    assert (table["total"] == table[["correct", "unknown", "same_target", "other"]].sum(axis=1)).all()
    plain = table[
        (table["network"] == "plain") & table["group"].isin(["adversarial", "longer", "confident", "fooling", "starts"])
    ]
    assert (plain["same_target"] == plain["total"]).all()
    assert (of(table, "test set", network="plain")["correct"]) == 232
    assert of(table, "FGV")["correct"] > 0
    attempted = of(table, "FGV")["total"] + of(table, "FGV")["missing"]
    assert attempted == sum(1 for i in context().order(60) if i % 30)  # those that are classified correctly
    assert of(table, "F50")["total"] + of(table, "F50")["missing"] + of(table, "F50")["already"] == 4 * CLASS_COUNT
    assert set(table.loc[table["group"] == "aware", "images"]) == {
        "FGV, aware",
        "FGV, float32, aware",
        "deepfool, aware",
    }


def test_the_threshold_has_the_clean_accuracy_of_openmax(table: pd.DataFrame) -> None:
    openmax, softmax = of(table, "test set"), of(table, "test set", network="softmax")
    assert openmax["correct"] <= softmax["correct"] <= openmax["correct"] + 1
    assert 0 < softmax["threshold"] < 1
    pixels, labels = images_and_labels()
    with torch.no_grad():
        p, own = network()(pixels.float() / 255).double().softmax(1).max(1)
    assert softmax["correct"] == int(((p > softmax["threshold"]) & (own == labels)).sum())


def test_what_differs_from_the_smallest_tail(table: pd.DataFrame) -> None:
    for images in ("test set", "FGV"):
        small, large = (of(table, images, varied="tail_size", value=size) for size in ("20", "1000"))
        assert (small[["correct_gained", "correct_lost", "target_gained", "target_lost"]] == 0).all()
        assert large["correct"] - small["correct"] == large["correct_gained"] - large["correct_lost"]
        assert large["same_target"] - small["same_target"] == large["target_gained"] - large["target_lost"]


def test_it_does_not_depend_on_the_batch(table: pd.DataFrame) -> None:
    again = testing.measured(context(batch_size=7))
    exact = [c for c in table.columns if c not in ("l2", "l2_plain", "threshold", "usual_share")]
    pd.testing.assert_frame_equal(again[exact], table[exact])
    for name in ("l2", "l2_plain", "threshold"):
        assert np.allclose(again[name], table[name], rtol=1e-4, equal_nan=True)


def test_an_attack_that_knows_openmax_passes_it_with_longer_perturbations(table: pd.DataFrame) -> None:
    aware = of(table, "deepfool, aware")
    assert aware["other"] > 0.8 * aware["total"]
    assert aware["l2"] > aware["l2_plain"] > 0
    assert of(table, "deepfool")["unknown"] + of(table, "deepfool")["correct"] > aware["unknown"] + aware["correct"]


def test_strengthened_images_by_hand() -> None:
    x = torch.tensor([10.0, 250.0, 100.0]).view(1, 1, 1, 3) / 255
    adv = torch.tensor([12.0, 253.0, 97.0]).view(1, 1, 1, 3) / 255
    longer = strengthened(x, adv, 1.5)
    assert (longer * 255).round().flatten().tolist() == [13, 254, 96]  # 254.5 and 95.5: halves to even
    assert (strengthened(x, adv, 3.0) * 255).round().flatten().tolist() == [16, 255, 91]
    assert torch.equal(strengthened(x, adv, torch.ones(1)), adv)


def test_confident_images_are_the_first_on_the_way(ctx: NetworkContext) -> None:
    pixels, _ = images_and_labels()
    x = pixels[:40].float() / 255
    direction = torch.randn(40, *NOISE_SHAPE, generator=torch.Generator().manual_seed(3)) / 8
    adv = ((x + direction).clamp(0, 1) * 255).round() / 255
    wrong = (ctx.forward(adv).argmax(1) + torch.arange(40) % 2) % CLASS_COUNT  # of every second the class is another
    scales = (1.0, 1.25, 1.5, 2.0)
    found, reached = confident(ctx, x, adv, wrong, 0.6, scales)
    assert 5 < int(reached.sum()) < 40
    for i in range(40):
        candidates = torch.cat([strengthened(x[i : i + 1], adv[i : i + 1], scale) for scale in scales])
        p = ctx.forward(candidates).double().softmax(1)[:, wrong[i]]
        hits = (p >= 0.6).nonzero()[:, 0]
        assert bool(reached[i]) == bool(len(hits))
        assert torch.equal(found[i], candidates[hits[0]] if len(hits) else adv[i])


def made_up(**changes: Any) -> pd.DataFrame:
    """The paper's own numbers as a table: of 1000 images each; and with tails of 20 and 1000."""
    numbers = {
        ("test set", "test"): (9807, 63, 0, 130, 10000), ("FGS", "adversarial"): (911, 18, 58, 13, 1000),
        ("FGV", "adversarial"): (993, 3, 0, 4, 1000), ("HC-1", "adversarial"): (990, 6, 0, 4, 1000),
        ("F50", "fooling"): (0, 691, 189, 120, 1000), ("F90", "fooling"): (0, 693, 270, 37, 1000),
        ("F99", "fooling"): (0, 155, 831, 14, 1000),
    } | changes.get("numbers", {})  # fmt: skip
    rows = []
    for (images, group), counts in numbers.items():
        for varied, value in (("", "200"), ("tail_size", "20"), ("tail_size", "1000")):
            large = value == "1000"
            rows.append(
                dict(zip(("correct", "unknown", "same_target", "other", "total"), counts, strict=True))
                | {
                    "images": images, "group": group, "network": "openmax", "varied": varied, "value": value, "arithmetic": "",
                    "correct_gained": 5 * large, "correct_lost": 600 * large, "target_gained": 0, "target_lost": 100 * large,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame, options: dict[str, Any] | None = None) -> dict[tuple[str, str], str]:
    experiment = testing.settings_of("open_set", options).experiment
    return {(claim.claim, claim.subset): claim.verdict for claim in experiment.claims(table)}


def test_verdicts_on_the_papers_own_numbers() -> None:
    found = verdicts(made_up())
    assert found["corrected", "FGV"] == "holds"
    assert (
        found["rejected-mostly", "F50"]
        == found["rejected-not-all", "F90"]
        == found["confident-accepted", "F99"]
        == "holds"
    )
    assert found["tail-accuracy-text", "test set"] == "does not hold"  # the text contradicts the numbers
    assert found["tail-accuracy-numbers", "test set"] == "holds"
    assert found["tail-correction-text", "FGS"] == found["tail-targets-numbers", "HC-1"] == "holds"
    others = {
        ("FGV", "adversarial"): (900, 90, 5, 5, 1000), ("F50", "fooling"): (0, 1000, 0, 0, 1000),
        ("F90", "fooling"): (0, 620, 380, 0, 1000), ("F99", "fooling"): (0, 800, 200, 0, 1000),
    }  # fmt: skip
    found = verdicts(made_up(numbers=others))
    assert (
        found["corrected", "FGV"]
        == found["rejected-not-all", "F50"]
        == found["confident-accepted", "F99"]
        == "does not hold"
    )
    assert found["rejected-mostly", "F90"] == "undecided"
    few = made_up(numbers={("FGV", "adversarial"): (5, 0, 0, 0, 5)})
    assert verdicts(few)["corrected", "FGV"] == "undecided"
    without = verdicts(made_up(), {"experiment.tail_sizes": [1000]})  # there is no tail of 20
    assert not any(claim.startswith("tail") for claim, _ in without)


def test_an_empty_table_is_summarised_and_drawn() -> None:
    experiment = testing.settings_of("open_set").experiment
    empty = pd.DataFrame(columns=[*(field.name for field in dataclasses.fields(OpenSet.Row)), "run"])
    assert len(experiment.summary(empty)) == 0
    assert experiment.plot(empty) is not None
    assert {claim.verdict for claim in experiment.claims(empty)} <= {"not measured"}


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="defense=blur: open_set puts its open set networks in front"):
        testing.settings_of("open_set", {"defense": "blur"})
    with pytest.raises(ConfigError, match=r"experiment.attacks=fooling: open_set needs attacks on single images"):
        testing.settings_of("open_set", {"experiment.attacks": ["fooling"]})
    with pytest.raises(ConfigError, match="name ascending probabilities"):
        testing.settings_of("open_set", {"experiment.levels": [0.9, 0.5]})
    with pytest.raises(ConfigError, match=r"experiment.layer=logits: .* experiment.aware=0"):
        testing.settings_of("open_set", {"experiment.layer": "logits"})
    testing.settings_of("open_set", {"experiment.layer": "logits", "experiment.aware": 0})
    assert OpenMax() == variants(testing.settings_of("open_set").experiment.params)[0].defense  # as `defense=openmax`


def test_nothing_is_counted_twice() -> None:
    doubled: dict[str, Any] = {
        "arithmetic": ["exact", "exact"], "tail_sizes": [20, 20], "lengths": [1.5, 1.5], "offsets": [5, 5.0],
    }  # fmt: skip
    for name, values in doubled.items():
        with pytest.raises(ArgumentError, match=f"{name} must name each once"):
            OpenSet.Params(**{name: values})
    with pytest.raises(ConfigError, match="name ascending probabilities, at least one"):
        testing.settings_of("open_set", {"experiment.levels": []})
