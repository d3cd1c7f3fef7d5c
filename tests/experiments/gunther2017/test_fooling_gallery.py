"""Figure 2 of gunther2017: levels that are reached, what rounding leaves of them, and a run that is killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from advlab import testing
from advlab.attacks.ascent.fooling.algorithm import random_starts
from advlab.config import components
from advlab.config.settings import resolve
from advlab.data.images import ImageData
from advlab.errors import ConfigError
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier
from advlab.plotting.draw import draw
from advlab.plotting.pixels import decode
from tests.helpers.commands import Ended

Gallery = components.REGISTRIES["experiment"].load("fooling_gallery")
SHAPE = (1, 8, 8)
K = 5


def context(
    tmp_path: Path, *, attack: dict[str, Any] | None = None, names: Any = tuple("abcde"), **experiment: Any
) -> NetworkContext:
    """A context with a linear network of five classes, each of which is to be reached."""
    torch.manual_seed(0)
    head = nn.Linear(64, K)
    nn.init.normal_(head.weight)
    network = nn.Sequential(nn.Flatten(), head)
    pixels = torch.zeros(3, *SHAPE, dtype=torch.uint8)
    return testing.context(
        "fooling_gallery",
        Classifier(network, name="toy", shape=SHAPE, mean=None, std=None).eval(),
        ImageData("toy", "test", names, torch.zeros(3, dtype=torch.int64), SHAPE, "", pixels),
        options={
            **{f"attack.{key}": value for key, value in (attack or {}).items()},
            "experiment.classes": [0, 3], **{f"experiment.{key}": value for key, value in experiment.items()},
        },
        batch_size=8,
        folder=tmp_path,
    )  # fmt: skip


def table(ctx: NetworkContext) -> pd.DataFrame:
    return testing.measured(ctx).assign(run="toy")


def test_levels_are_reached_and_what_is_drawn_is_classified_again(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    found = table(ctx)
    assert list(found["target"]) == [-1, 0, 0, 0, 3, 3, 3]
    assert list(found["level"]) == [0, 0.5, 0.9, 0.99, 0.5, 0.9, 0.99]
    assert ctx.classifier is not None
    double = ctx.classifier.double_copy()
    start = decode(found.iloc[0])
    assert (start == (random_starts(1, SHAPE, 0)[0] * 255).round().numpy()).all()
    for row in found.itertuples():
        pixels = decode(pd.Series(row._asdict()))
        with torch.no_grad():
            p = torch.softmax(double(torch.from_numpy(pixels.copy()).double()[None] / 255), 1)[0]
        assert row.prediction == int(p.argmax())
        assert row.probability == pytest.approx(float(p.max() if row.target < 0 else p[row.target]), abs=1e-5)
        if row.target >= 0:
            assert row.success
            assert row.level <= row.reached <= row.level + 0.02
            with torch.no_grad():
                at_start = torch.softmax(double(torch.from_numpy(start.copy()).double()[None] / 255), 1)[0]
            assert row.start_probability == pytest.approx(float(at_start[row.target]), abs=1e-5)
            assert row.start_class == int(at_start.argmax())
            assert row.start_probability < 0.5
            assert row.l2 == pytest.approx(np.linalg.norm((pixels.astype(float) - start) / 255), abs=0.03)
    assert ctx.counts.backwards >= found.groupby("target")["steps"].max().sum()
    steps = found[found["target"] == 3]["steps"]
    assert steps.is_monotonic_increasing
    assert steps.iloc[-1] > 0


def test_a_start_that_is_there_already_is_drawn_again_and_counted(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    double = ctx.classifier.double_copy()
    with torch.no_grad():
        p = torch.softmax(double(random_starts(40, SHAPE, 0).double()), 1)
    classes = sorted({int(p[n].argmax()) for n in range(40) if float(p[n].max()) >= 0.5})[:1]
    first = next(n for n in range(40) if int(p[n].argmax()) == classes[0] and float(p[n].max()) >= 0.5)
    after = next(n for n in range(first, 40) if float(p[n, classes[0]]) < 0.5)
    found = table(context(tmp_path, classes=classes, start=first))
    assert set(found["start"]) == {after}
    assert set(found["redrawn"]) == {after - first}
    assert (decode(found.iloc[0]) == (random_starts(after + 1, SHAPE, 0)[-1] * 255).round().numpy()).all()
    assert Gallery(Gallery.Params()).summary(found)["redrawn"].tolist() == [after - first] * 3
    only = table(context(tmp_path, classes=classes, start=first, draws=1))
    at_level = only["start_probability"] >= only["level"]
    assert (only["status"] == "start_at_level").tolist() == (at_level & (only["target"] >= 0)).tolist()
    assert not only.loc[only["status"] == "start_at_level", "success"].any()
    assert "start_at_level" in set(only["status"])
    figure = Gallery(Gallery.Params()).plot(only)
    assert sum("at the start" in text.get_text() for axis in figure.axes for text in axis.texts) == int(
        (only["status"] == "start_at_level").sum()
    )


def test_another_start_is_another_pattern_of_the_same_kind(tmp_path: Path) -> None:
    one, two = (table(context(tmp_path, start=n))["pixels"].iloc[0] for n in (0, 1))
    assert one != two


def test_what_is_not_reached_is_said_and_drawn_empty(tmp_path: Path) -> None:
    found = table(context(tmp_path, attack={"max_iter": 1, "early": 1e-6, "late": 1e-6}))
    assert set(found["status"]) == {"start", "max_iter"}
    figure = Gallery(Gallery.Params()).plot(found)
    assert sum(bool(axis.images) for axis in figure.axes) == 1
    assert sum("not reached" in text.get_text() for axis in figure.axes for text in axis.texts) == 6
    line = Gallery(Gallery.Params()).summary(found).iloc[0]
    assert (line["classes"], line["reached"]) == (2, 0)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.renders
def test_the_figure_has_a_start_and_a_tile_for_each_level_of_each_class(tmp_path: Path) -> None:
    names = ("$\\alpha$", "<b>", "a\nb", "ü" * 300, "")
    found = table(context(tmp_path, names=names, classes=[0, 1, 2, 3]))
    figure = Gallery(Gallery.Params()).plot(found)
    assert len(figure.axes) == 13
    texts = [t for axis in figure.axes for t in (axis.title, axis.xaxis.label, axis.yaxis.label)] + figure.texts
    assert all(text.get_parse_math() is False for text in texts if text.get_text())
    words = [text.get_text() for text in texts]
    for word in ("start", "F50", "F90", "F99", "$\\alpha$"):
        assert word in words
    assert draw(Gallery(Gallery.Params()), found, [tmp_path / "a.png"])
    both = pd.concat([found, found.assign(run="two")])
    assert len(Gallery(Gallery.Params()).plot(both).axes) == 26
    assert list(Gallery(Gallery.Params()).summary(both)["reached"]) == [4] * 6


@pytest.mark.parametrize(
    ("node", "experiment", "words"),
    [
        ({"name": "none"}, {}, "type attack=fooling"),
        ({"name": "deepfool"}, {}, "type attack=fooling"),
        ({"name": "fooling"}, {"classes": [0, 10]}, "classes 0 to 9"),
        ({"name": "fooling"}, {"classes": [1, 1]}, "each once"),
        ({"name": "fooling"}, {"levels": [1.0]}, "levels must be above 0 and below 1"),
    ],
)
def test_bad_settings_name_the_remedy(node: dict[str, Any], experiment: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(
            {
                "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "attack": node,
                "experiment": {"name": "fooling_gallery", **experiment},
            }
        )  # fmt: skip


def test_a_killed_run_goes_on_to_the_same_bytes(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("experiment=fooling_gallery", "attack.max_iter=20", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "outputs/fooling_gallery").glob("*/v001")
    names = ("table.csv", "summary.csv", "claims.csv")
    before = {name: (run / name).read_bytes() for name in names}
    assert json.loads((run / "manifest.json").read_text())["backwards"] > 0
    cells = sorted((run / "cells").glob("*.csv"))
    assert [path.stem for path in cells] == ["class-0", "class-1", "class-4", "class-8", "start"]
    for path in (run / "manifest.json", run / "table.csv", cells[1], cells[4]):
        path.unlink()
    assert cli("resume", str(run)).code == 0
    assert before == {name: (run / name).read_bytes() for name in names}
