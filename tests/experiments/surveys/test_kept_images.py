"""What a survey keeps of its images, and which successes are still some when they are rounded to 8 bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from advlab import testing
from advlab.config import components
from advlab.errors import ConfigError
from tests.helpers.commands import Ended

Survey = components.REGISTRIES["experiment"].load("attack_survey")


def network(channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36 * channels, 16), nn.Tanh(), nn.Linear(16, 3))


def images(channels: int = 1, n: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (n, channels, 6, 6), generator=torch.Generator().manual_seed(1)) / 255


def test_what_survives_rounding_is_what_the_network_says_of_rounded_images(tmp_path: Path) -> None:
    net, x = network(), images()
    ctx = testing.context(
        "attack_survey",
        net,
        x,
        net(x).argmax(1),
        {"attack": "deepfool", "experiment.keep": ["safetensors"]},
        folder=tmp_path,
    )
    found = testing.measured(ctx)
    (name,) = ctx.files
    path = tmp_path / "kept.safetensors"
    path.write_bytes(ctx.files[name])
    kept = load_file(path)
    assert kept["sample"].tolist() == found["sample"].tolist()
    assert torch.equal(kept["x"], x[kept["sample"]])
    assert torch.equal(kept["label"], net(x).argmax(1)[kept["sample"]])
    assert kept["success"].tolist() == found["success"].tolist()
    norms = (kept["adv"] - kept["x"]).double().flatten(1).norm(dim=1)
    np.testing.assert_allclose(norms, found["l2"], rtol=1e-5)
    rounded = (kept["adv"] * 255).round() / 255
    still = (net(rounded).argmax(1) != kept["label"]) & kept["success"]
    assert found["survives_rounding"].fillna(0).tolist() == still.tolist()
    assert 0 < int(still.sum()) < int(kept["success"].sum()), "nothing was lost, or everything: rounding is not tested"
    line = Survey(Survey.Params()).summary(found).iloc[0]
    assert line["survive_rounding"] == int(still.sum())
    assert line["survival_rate"] == int(still.sum()) / int(kept["success"].sum())


def test_discrete_images_all_survive(tmp_path: Path) -> None:
    net, x = network(), images()
    options = {"attack": "deepfool", "attack.discrete": True}
    found = testing.measured(testing.context("attack_survey", net, x, net(x).argmax(1), options, folder=tmp_path))
    assert found["success"].all()
    assert found["survives_rounding"].all()


def test_pictures_are_the_rounded_images_of_the_successes(cli: Callable[..., Ended], tmp_path: Path) -> None:
    line = [
        "experiment=attack_survey",
        "attack=deepfool",
        "recipe.epochs=1",
        "run.preset=tiny",
        "experiment.targets=random",
    ]
    ended = cli(*line, "experiment.keep=[png,safetensors]")
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    table = pd.read_csv(run / "table.csv")
    successes = table[table["success"]]
    kept = load_file(run / "files" / "images-000000.safetensors")
    names = {f"{row.sample:06d}-to-{row.target}.png" for row in successes.itertuples()}
    assert {path.name for path in (run / "files").glob("*.png")} == names
    for i in kept["success"].nonzero()[:, 0].tolist():
        picture = Image.open(run / "files" / f"{int(kept['sample'][i]):06d}-to-{int(kept['target'][i])}.png")
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), (kept["adv"][i, 0] * 255).round().numpy().astype(np.uint8))
    digests = json.loads((run / "manifest.json").read_text())["files"]
    for path in (run / "files").iterdir():
        assert digests[f"files/{path.name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not (tmp_path / "outputs/attack_survey").joinpath("digits-lenet-deepfool/v002").exists()


def test_a_killed_run_keeps_the_same_files(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advlab.experiments.surveys.attack_survey.CELL_IMAGES", 3)
    ended = cli(
        "experiment=attack_survey", "attack=fgs", "recipe.epochs=1", "run.preset=tiny", "experiment.keep=safetensors"
    )
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    before = {path.name: path.read_bytes() for path in (run / "files").iterdir()}
    assert len(before) == 3
    for path in (run / "manifest.json", sorted((run / "cells").glob("*.csv"))[1], sorted((run / "files").iterdir())[1]):
        path.unlink()
    assert cli("resume", str(run)).code == 0
    assert before == {path.name: path.read_bytes() for path in (run / "files").iterdir()}


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_a_kept_file_that_is_damaged_is_made_again(
    how: str, cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advlab.experiments.surveys.attack_survey.CELL_IMAGES", 3)
    line = ["experiment=attack_survey", "attack=fgs", "recipe.epochs=1", "run.preset=tiny", "experiment.keep=[png]"]
    assert cli(*line).code == 0
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    before = {path.name: path.read_bytes() for path in (run / "files").iterdir()}
    cells = {path.name: path.stat().st_mtime_ns for path in (run / "cells").iterdir()}
    path = run / "files" / min(before)
    path.unlink() if how == "gone" else path.write_bytes(path.read_bytes()[:-1] + b"!")
    ended = cli("resume", str(run))
    assert ended.code == 0, ended.err
    assert f"{path.name} is missing or damaged, and is made again" in ended.err
    assert before == {path.name: path.read_bytes() for path in (run / "files").iterdir()}
    again = {path.name for path in (run / "cells").iterdir() if path.stat().st_mtime_ns != cells[path.name]}
    assert len(again) == 1, "the cell that keeps it was not measured again, or others were"
    assert "nothing left to do" in cli("resume", str(run)).out


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    net, x = network(), images()
    ctx = testing.context("attack_survey", net, x, net(x).argmax(1), {"attack": "fgs"}, folder=tmp_path)
    testing.measured(ctx)
    assert ctx.files == {}


def test_colour_pictures_and_channels_that_no_picture_has(tmp_path: Path) -> None:
    options = {"attack": "fgs", "experiment.keep": ["png"]}
    net, x = network(3), images(3)
    ctx = testing.context("attack_survey", net, x, net(x).argmax(1), options, folder=tmp_path)
    testing.measured(ctx)
    (tmp_path / "a.png").write_bytes(next(iter(ctx.files.values())))
    assert Image.open(tmp_path / "a.png").mode == "RGB"
    net, x = network(2), images(2)
    ctx = testing.context("attack_survey", net, x, net(x).argmax(1), options, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"experiment.keep=\[safetensors\]"):
        testing.measured(ctx)


def test_a_kept_file_has_a_plain_name(tmp_path: Path) -> None:
    net, x = network(), images()
    ctx = testing.context("attack_survey", net, x, net(x).argmax(1), {"attack": "fgs"}, folder=tmp_path)
    for name in ("../a", "a/b", ".a", "", "a b"):
        with pytest.raises(ValueError, match="no name of a kept file"):
            ctx.keep_file(name, b"")


@pytest.mark.parametrize("defense", ["round", "noise"])
def test_images_in_grey_levels_survive_behind_a_defense(defense: str, tmp_path: Path) -> None:
    net, x = network(), images()
    options = {"attack": "fgs", "defense": defense}
    found = testing.measured(testing.context("attack_survey", net, x, net(x).argmax(1), options, folder=tmp_path))
    assert found["success"].any()
    assert found["survives_rounding"].fillna(0).tolist() == found["success"].tolist()
