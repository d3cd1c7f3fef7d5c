"""Verdicts below the images of both galleries: against the defense by hand, in the figures, and behind a defense that rejects."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from advlab import testing
from advlab.config import components
from advlab.defenses import Blur, SoftmaxThreshold
from advlab.errors import ArgumentError, ConfigError
from advlab.plotting.gallery import percent
from advlab.plotting.pixels import decode
from advlab.plotting.style import style
from tests.helpers.drawn import faults, texts

SIDE, CLASSES = 8, 4
FEW: dict[str, dict[str, Any]] = {
    "adversarial_gallery": {"experiment.columns": 2, "experiment.candidates": 30, "experiment.attacks": ["fgs", "fgv"]},
    "fooling_gallery": {"experiment.classes": [0, 1], "experiment.levels": [0.5, 0.99]},
}
GALLERIES = list(FEW)


def network() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES))
    nn.init.normal_(made[1].weight)  # type: ignore[arg-type]
    return made.requires_grad_(False)


def measured(name: str, options: dict[str, Any]) -> pd.DataFrame:
    images = (torch.rand(60, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
    labels = network()(images).argmax(1)
    return testing.measured(testing.context(name, network(), images, labels, {**FEW[name], **options}))


def columns_by_hand(row: pd.Series, defended: Any) -> tuple[int, str, float]:
    image = torch.from_numpy(decode(row).copy()).float()[None] / 255
    probabilities = torch.softmax(defended(image).double(), 1)[0]
    found = int(probabilities.argmax())
    name = "unknown" if found == CLASSES else f"class {found}"
    return found, name, float(probabilities[found])


@pytest.mark.parametrize("name", GALLERIES)
@pytest.mark.parametrize(("listed", "defense"), [("blur", Blur()), ("softmax_threshold", SoftmaxThreshold())])
def test_verdicts_are_the_defended_networks_of_the_drawn_images(name: str, listed: str, defense: Any) -> None:
    table, defended = measured(name, {"experiment.verdicts": [listed]}), defense(network())
    plain = measured(name, {})
    assert set(table["verdict"]) == {listed}
    assert table["prediction"].tolist() == plain["prediction"].tolist()  # the attacks do not know the verdict
    assert set(plain["verdict"]) == {""}
    for _, row in table.iterrows():
        found, word, probability = columns_by_hand(row, defended)
        assert (row["verdict_class"], row["verdict_name"]) == (found, word)
        assert row["verdict_probability"] == pytest.approx(probability, abs=1e-6)
    if listed == "softmax_threshold":
        assert "unknown" in set(table["verdict_name"])


@pytest.mark.parametrize("name", GALLERIES)
def test_a_defense_of_the_run_that_rejects_says_its_verdict_itself(name: str) -> None:
    table = measured(name, {"defense": {"name": "softmax_threshold", "threshold": 0.4}})
    assert set(table["verdict"]) == {"softmax_threshold"}
    assert table["verdict_class"].tolist() == table["prediction"].tolist()
    if name == "adversarial_gallery":  # an image that is rejected is not adversarial
        assert (table.loc[table["image"] != "original", "prediction"] < CLASSES).all()


@pytest.mark.parametrize("width", ["page", "column"])
@pytest.mark.parametrize("name", GALLERIES)
def test_the_figure_shows_class_and_probability_below_each_image(name: str, width: str) -> None:
    table = measured(name, {"experiment.verdicts": ["softmax_threshold"]}).assign(run="toy")
    experiment = components.REGISTRIES["experiment"].load(name)
    with style(width):
        figure = experiment(experiment.Params()).plot(table)
        assert faults(figure, texts(figure)) == []
    below = [axis.get_xlabel() for axis in figure.axes]
    for _, row in table.iterrows():
        if row.get("success", True):
            lines = f"{row['verdict_name']}\n{percent(row['verdict_probability'])}"
            assert any(lines in text for text in below)
    assert any("softmax_threshold's verdict" in text.get_text() for text in figure.texts)
    older = experiment(experiment.Params()).plot(table.drop(columns=[c for c in table if c.startswith("verdict")]))
    assert not any("verdict" in text.get_text() for text in older.texts)


def test_what_is_refused() -> None:
    for name in GALLERIES:
        with pytest.raises(ArgumentError, match="verdicts must name one defense at most"):
            components.REGISTRIES["experiment"].load(name).Params(verdicts=["openmax", "blur"])
        with pytest.raises(ConfigError, match=r"type experiment\.verdicts=\[openmax\]"):
            testing.settings_of(name, {"experiment.verdicts": ["none"]})
