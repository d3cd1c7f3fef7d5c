"""Figure 3 of gunther2017: which images are chosen, that what is drawn is adversarial, and names that do harm.

Longer than other files: a third of it is an attack and a network whose answers are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.attacks import Attack
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.config import components
from advlab.config.settings import resolve
from advlab.data.images import ImageData, tensor_digest
from advlab.errors import ConfigError, MeasurementError
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier
from advlab.plotting.draw import draw
from advlab.plotting.gallery import CHARACTER_WIDTH, caption
from advlab.plotting.pixels import decode, encode
from advlab.probes.selection import order
from tests.helpers.commands import Ended

Gallery = components.REGISTRIES["experiment"].load("adversarial_gallery")
PAPERS_ATTACKS = Gallery.attacks
SHAPE = (1, 4, 4)
NAMES = ("zero", "one", "two", "three")
HOSTILE = (
    "$\\alpha$ \\textbf{x}",
    "<img src=x onerror=alert(1)>",
    "a\nb\tc\x00",
    "ü" * 300,
    "",
    "$",
    "hammerhead shark",
    "🦈",
)


class First(nn.Module):
    """Four classes: the logits are the first four pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 4, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(4) * 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.flatten(1)[:, :4])
        return out


def swap(problem: Any, attack: Any) -> AlgorithmResult:
    """White in the pixel of a class that depends on the image and the kind of attack; the rest stays."""
    code = (problem.x.flatten(1)[:, 15] * 255).round().long()
    shift = torch.where(code < attack.obeys, 1, attack.shift)  # alike where the last pixel says so
    target = (problem.labels + shift) % 4
    adv = problem.x.clone()
    adv.flatten(1).scatter_(1, target[:, None], 1.0)
    return AlgorithmResult(adv, torch.full_like(target, int(Status.SUCCESS)), torch.ones_like(target))


@dataclass(frozen=True, kw_only=True)
class Swap(Attack):
    """An attack whose adversarial class is known."""

    shift: int = 1
    obeys: int = 0

    def run(self, problem: Problem) -> AlgorithmResult:
        """Swap the class."""
        return swap(problem, self)


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three kinds that agree where the last pixel is below 60; elsewhere the second goes its own way."""
    kinds = {"FGS": Swap(), "FGV": Swap(shift=2, obeys=60), "HC-1": Swap()}
    monkeypatch.setattr(Gallery, "attacks", lambda self, ctx: kinds)


def images(names: tuple[str, ...] = NAMES) -> ImageData:
    """60 images; the class is the brightest of the first four pixels, a fifth of the labels is wrong."""
    pixels = torch.randint(0, 200, (60, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = pixels.flatten(1)[:, :4].int().argmax(1)
    labels[::5] = (labels[::5] + 1) % 4
    return ImageData("toy", "test", names, labels, SHAPE, tensor_digest(pixels), pixels)


def context(tmp_path: Path, data: ImageData, **experiment: Any) -> NetworkContext:
    network = Classifier(First(), name="toy", shape=SHAPE, mean=None, std=None).eval()
    options = {f"experiment.{key}": value for key, value in experiment.items()}
    return testing.context("adversarial_gallery", network, data, options=options, batch_size=8, folder=tmp_path)


def table(ctx: NetworkContext) -> pd.DataFrame:
    return testing.measured(ctx).assign(run="toy")


def test_a_column_is_the_first_image_of_its_class_whose_kinds_agree(tmp_path: Path) -> None:
    data = images()
    wanted: dict[int, int] = {}
    assert isinstance(data.pixels, Tensor)
    for sample in order(data, 0).tolist():
        label = int(data.labels[sample])
        right = label == int(data.pixels[sample].flatten()[:4].int().argmax())
        if right and int(data.pixels[sample].flatten()[15]) < 60:
            wanted.setdefault(label, sample)
    ctx = context(tmp_path, data)
    assert ctx.prepared["samples"] == [wanted[label] for label in range(4)]
    assert ctx.counts.backwards == 0
    assert ctx.counts.images > 0
    assert context(tmp_path, data, columns=2).prepared["samples"] != []
    assert len(context(tmp_path, data, columns=2).prepared["samples"]) == 2


def test_what_is_drawn_is_adversarial_in_whole_grey_levels(tmp_path: Path) -> None:
    ctx = context(tmp_path, images())
    found = table(ctx)
    assert list(found["image"]) == ["original", "FGS", "FGV", "HC-1"] * 4
    assert list(found["label"].iloc[::4]) == [0, 1, 2, 3]
    data = images()
    assert isinstance(data.pixels, Tensor)
    for _, row in found.iterrows():
        pixels = decode(row)
        assert row["prediction"] == int(pixels.reshape(-1)[:4].argmax())
        assert row["prediction_name"] == NAMES[row["prediction"]]
        clean = data.pixels[row["sample"]].numpy()
        if row["image"] == "original":
            assert (pixels == clean).all()
            assert (row["prediction"], row["l2"], row["pass_score"]) == (row["label"], 0, pytest.approx(1))
        else:
            assert row["prediction"] == (row["label"] + 1) % 4
            moved = (pixels.astype(float) - clean) / 255
            assert row["l2"] == pytest.approx(np.linalg.norm(moved), rel=1e-5)
            assert row["linf"] == pytest.approx(abs(moved).max(), rel=1e-5)
    sizes = Gallery(Gallery.Params()).summary(found)
    assert list(sizes["image"]) == ["FGS", "FGV", "HC-1"]
    assert list(sizes["images"]) == [4, 4, 4]


def test_nothing_to_show_is_an_error_and_little_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = images()
    (first,) = context(tmp_path, data, columns=1).prepared["samples"]
    few = context(tmp_path, data, candidates=max(4, order(data, 0).tolist().index(first) + 1), columns=4)
    assert few.prepared["samples"] == [first]
    assert "experiment.candidates" in caplog.text
    monkeypatch.setattr(Gallery, "attacks", lambda self, ctx: {"FGS": Swap(), "FGV": Swap(shift=2), "HC-1": Swap()})
    with pytest.raises(MeasurementError, match=r"experiment\.candidates"):
        context(tmp_path, data)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pixels_survive_as_text(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (channels, 3, 5), dtype=np.uint8)
    row = pd.Series({"pixels": encode(image), "channels": channels, "height": 3, "width": 5})
    assert (decode(row) == image).all()
    with pytest.raises(ValueError, match="uint8"):
        encode(image.astype(float))
    with pytest.raises(ValueError, match="reshape"):
        decode(pd.Series({**row, "height": 4}))


def drawn_texts(figure: Any) -> list[Any]:
    return [t for axis in figure.axes for t in (axis.title, axis.xaxis.label, axis.yaxis.label)] + figure.texts


def test_the_figure_shows_the_tables_images(tmp_path: Path) -> None:
    found = table(context(tmp_path, images()))
    figure = Gallery(Gallery.Params()).plot(found)
    assert len(figure.axes) == 16
    shown = {axis.images[0].get_array().tobytes() for axis in figure.axes}
    assert shown == {decode(row).mean(0).tobytes() for _, row in found.iterrows()}
    words = [text.get_text() for text in drawn_texts(figure)]
    for word in (*NAMES, "original", "FGS", "FGV", "HC-1"):
        assert word in words
    both = pd.concat([found, found.assign(run="another")])
    assert len(Gallery(Gallery.Params()).plot(both).axes) == 32


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("start", range(0, len(HOSTILE), 4))
@pytest.mark.renders
def test_class_names_are_never_markup(start: int, tmp_path: Path) -> None:
    names = HOSTILE[start : start + 4]
    found = table(context(tmp_path, images(names)))
    files = draw(Gallery(Gallery.Params()), found.assign(run="$x$ on\n<b>"), [tmp_path / "a.png", tmp_path / "a.pdf"])
    assert all(file.stat().st_size > 1000 for file in files)
    figure = Gallery(Gallery.Params()).plot(found.assign(run="$x$ on\n<b>"))
    for text in drawn_texts(figure):
        if text.get_text():
            assert text.get_parse_math() is False
            assert text.get_text().replace("\n", "").isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_captions_fit_their_column(name: str) -> None:
    for inches in (0.2, 0.6, 1.0):
        lines = caption(name, inches).split("\n")
        assert 1 <= len(lines) <= 3
        assert max(map(len, lines)) <= max(3, int(inches / CHARACTER_WIDTH))
    assert caption("hammerhead shark", 0.7) == "hammerhead\nshark"
    assert caption("great white shark, white shark, man-eater", 0.7).endswith("…")


def test_bad_settings_name_the_remedy() -> None:
    with pytest.raises(ConfigError, match="columns must be at least 1"):
        resolve(
            {
                "dataset": {"name": "digits"}, "model": {"name": "lenet"},
                "experiment": {"name": "adversarial_gallery", "columns": 0},
            }
        )  # fmt: skip


def test_a_killed_run_goes_on_to_the_same_bytes(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gallery, "attacks", PAPERS_ATTACKS)
    ended = cli("experiment=adversarial_gallery", "experiment.columns=3", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "outputs/adversarial_gallery").glob("*/v001")
    names = ("table.csv", "summary.csv", "claims.csv")
    before = {name: (run / name).read_bytes() for name in names}
    found = pd.read_csv(run / "table.csv")
    adversarial = found[found["image"] != "original"]
    assert (adversarial["prediction"] != adversarial["label"]).all()
    assert (adversarial.groupby("column")["prediction"].nunique() == 1).all()
    assert json.loads((run / "manifest.json").read_text())["backwards"] >= 9
    for path in (run / "manifest.json", run / "table.csv", sorted((run / "cells").glob("*.csv"))[1]):
        path.unlink()
    assert cli("resume", str(run)).code == 0
    assert before == {name: (run / name).read_bytes() for name in names}


def test_a_dry_run_measures_nothing(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("experiment=adversarial_gallery", "run.dry=true", "run.preset=tiny")
    assert ended.code == 0, ended.err
    assert "backwards  36 images" in ended.out
    assert not (tmp_path / "outputs").exists()
