"""A user's own models, datasets and experiments: how they are found, and what they may do."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from advlab.plugins import loading
from tests.helpers.commands import Ended
from tests.helpers.long_cases import long_but
from tests.helpers.plugins import BLOBS, NET, RUN_FOLDER, SHORT, write


def test_model_and_dataset_run_and_are_archived_with_their_options(
    cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    ended = cli("model=tiny_net", "--plugin", files["net"], "model.width=3", f"--plugin={files['blobs']}", *SHORT)
    assert ended.code == 0, ended.err
    config = yaml.safe_load((tmp_path / RUN_FOLDER / "config.yaml").read_text())
    assert config["model"] == {
        "name": "tiny_net", "width": 3, "depth": 1, "note": "", "checkpoint": "", "checkpoint_key": "", "sha256": "",
        "mean": [], "std": [], "allow": [],
    }  # fmt: skip
    assert config["dataset"] == {"name": "blobs", "count": 24, "size": 0, "channels": 0, "split": "test"}
    manifest = json.loads((tmp_path / RUN_FOLDER / "manifest.json").read_text())
    assert manifest["dataset"]["classes"][0] == "<img src=x onerror=alert(1)>"
    assert manifest["model"]["classes"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my plug-ins", "outputs"]
    again = cli("resume", "--plugin", files["net"], RUN_FOLDER)
    assert again.code == 0
    assert "nothing left to do" in again.out


def test_an_experiment_of_ones_own(cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path) -> None:
    ended = cli("--plugin", files["squares"], "experiment=squares", "experiment.count=4")
    assert ended.code == 0, ended.err
    table = (tmp_path / "outputs/squares/v001/table.csv").read_text().splitlines()
    assert table == ["index,square", "0,0.0", "1,1.0", "2,4.0", "3,9.0"]
    for arguments, words in [
        (["experiment.cuont=4"], "Did you mean count?"),
        (["model=lenet"], "the experiment squares uses no model: leave it out"),
        (["probe.samples=4"], "probe.samples: the experiment squares uses no probe: leave it out"),
    ]:
        wrong = cli("--plugin", files["squares"], "experiment=squares", *arguments)
        assert wrong.code == 2
        assert words in wrong.err


def test_plug_ins_are_listed_and_described(cli: Callable[..., Ended], files: dict[str, str]) -> None:
    flags = [text for path in files.values() for text in ("--plugin", path)]
    out = cli("list", *flags).out
    for word in ("tiny_net", "A network of one to three layers.", "blobs", "squares", "Squares (none, figure 0)"):
        assert word in out
    described = cli("describe", "tiny_net", *flags).out
    assert "width = 4" in described
    assert "Dark and bright images." in cli(*flags, "describe", "blobs").out
    assert "count = 3" in cli("describe", *flags, "squares").out
    assert cli("--help", *flags).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.widht=3"], ["model.widht", "Did you mean width?"]),
        (["model.width=x"], ["model.width", "whole number"]),
        (["model.depth=[1]"], ["model.depth", "whole number"]),
        (["model=tiny_nets"], ["'tiny_nets'", "Did you mean tiny_net"]),
        (["dataset.cuont=3"], ["dataset.cuont", "Did you mean count?"]),
        (["dataset.count=x"], ["dataset.count", "whole number"]),
        (["dataset.split=all"], ["'all'", "test, train"]),
    ],
)
def test_wrong_options_are_named(
    arguments: list[str], words: list[str], cli: Callable[..., Ended], files: dict[str, str]
) -> None:
    ended = cli("--plugin", files["net"], "--plugin", files["blobs"], "model=tiny_net", *arguments)
    assert ended.code == 2
    for word in words:
        assert word in ended.err


def test_the_environment_variable(
    cli: Callable[..., Ended], files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loading.VARIABLE, os.pathsep.join([files["net"], "", files["blobs"]]))
    assert "tiny_net" in cli("list", "models").out
    assert cli("model=tiny_net", "run.dry=true", *SHORT).code == 0
    monkeypatch.setenv(loading.VARIABLE, "nope.py")
    ended = cli("list")
    assert ended.code == 2
    assert "nope.py does not exist" in ended.err


def distribution(folder: Path, entry: str) -> dict[str, str]:
    """A fake installed distribution with an entry point; returns the environment that finds it."""
    info = folder / "site/my_plugins-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[advlab.plugins]\nmine = {entry}\n")
    return {"PYTHONPATH": str(folder / "site")}


def test_an_installed_package(shell: Callable[..., Ended], tmp_path: Path) -> None:
    environment = distribution(tmp_path, "my_plugins")
    (tmp_path / "site/my_plugins.py").write_text(NET + BLOBS)
    ended = shell("list", "models", env=environment)
    assert ended.code == 0
    assert "tiny_net" in ended.out


def test_a_broken_installed_package_is_named(shell: Callable[..., Ended], tmp_path: Path) -> None:
    ended = shell("list", env=distribution(tmp_path, "no_such_module"))
    assert ended.code == 2
    assert ended.err.startswith("advlab: the installed plug-in mine (no_such_module) failed: ModuleNotFoundError")
    assert ended.err.count("\n") == 1


def test_a_yaml_file_of_ones_own_for_a_plug_in(
    cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "yaml/model").mkdir(parents=True)
    (tmp_path / "yaml/model/wide_net.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: blobs\nmodel:\n  name: tiny_net\n  width: 9\n"
    )
    flags = ["--plugin", files["net"], "--plugin", files["blobs"], "--config-dir", "yaml"]
    shown = cli(*flags, "model=wide_net", "--cfg", "job")
    assert shown.code == 0, shown.err
    content = yaml.safe_load(shown.out)
    assert content["dataset"]["name"] == "blobs"
    assert content["model"]["width"] == 9


@pytest.mark.parametrize("launcher", long_but(["basic", "joblib"], "joblib"))
def test_plug_ins_reach_the_jobs_of_a_sweep(
    launcher: str, shell: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    if launcher == "joblib" and importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None:
        pytest.skip("hydra-joblib-launcher is not installed (extra `cluster`)")
    ended = shell(
        "--plugin", files["net"], "-m", "model=tiny_net", "model.width=2,3", *SHORT, f"--plugin={files['blobs']}",
        f"hydra/launcher={launcher}",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.out.count("  complete  ") == 2
    widths = [
        yaml.safe_load(path.read_text())["model"]["width"] for path in tmp_path.glob("outputs/*/*/v*/config.yaml")
    ]
    assert sorted(widths) == [2, 3]
    if launcher == "basic":
        manifest = json.loads(next(tmp_path.glob("outputs/*/*/v*/manifest.json")).read_text())
        named = [word for word in manifest["command"] if word.endswith(".py")]
        assert [Path(name).name for name in named] == [Path(files[name]).name for name in ("net", "blobs")]
        assert manifest["command"].count("--plugin") == 2


def test_a_relative_plug_in_with_neighbours(shell: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("WIDTH = 7\n")
    write(
        tmp_path,
        "import neighbour\n@advlab.model('n', input_shape=(1, 8, 8))\ndef n(width: int = neighbour.WIDTH): ...\n",
    )
    ended = shell("describe", "n", "--plugin", "plug.py")
    assert "command: advlab --plugin plug.py model=n\n" in ended.out
    assert ended.code == 0, ended.err
    assert "width = 7" in ended.out


def test_two_files_of_one_name(cli: Callable[..., Ended], tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        body = f"class Net:\n    pass\n@advlab.model('{name}', input_shape=(1, 8, 8))\ndef build(): return Net()\n"
        paths.append(write(tmp_path / name, body))
    out = cli("list", "models", "--plugin", paths[0], "--plugin", paths[1]).out
    assert " one " in out
    assert " two " in out


def test_a_class_is_a_factory_too(cli: Callable[..., Ended], tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "class Base: ...\n@advlab.model('n', input_shape=(1, 8, 8))\nclass Net(Base):\n    'A class.'\n"
        "    def __init__(self, width: int = 3): ...\n",
    )
    assert "width = 3" in cli("describe", "n", "--plugin", path).out
    ended = cli("model=n", "model.width=x", "dataset=digits", "--plugin", path)
    assert ended.code == 2
    assert "model.width: expected a whole number" in ended.err
