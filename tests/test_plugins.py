"""A user's own models, datasets and experiments: how they are found, what they may do, and how they fail."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from advlab import plugins

if TYPE_CHECKING:
    from tests.conftest import Ended

NET = """
from __future__ import annotations
from typing import TYPE_CHECKING
import advlab
if TYPE_CHECKING:
    from torch import nn

@advlab.model("tiny_net", input_shape=(1, 8, 8), dataset="blobs")
def tiny_net(width: int = 4, *, depth: int = 1, note: str = "") -> nn.Module:
    '''A network of one to three layers.'''
    import torch
    from torch import nn
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(64, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 2))
"""
BLOBS = """
import advlab
import numpy as np

@advlab.dataset("blobs")
def blobs(split: str, count: int = 24):
    '''Dark and bright images.'''
    rng = np.random.default_rng({"train": 1, "test": 0}[split])
    y = rng.integers(0, 2, count)
    x = rng.random((count, 8, 8)) * 0.2 + y[:, None, None] * 0.7
    return x, y, ["<img src=x onerror=alert(1)>", "=cmd|' /C calc'!A0, \\n../../etc"]
"""
EXPERIMENT = """
from dataclasses import dataclass
import advlab
from advlab.experiment import Cell, Cost, Experiment

@dataclass(frozen=True)
class Line:
    index: int
    square: float

@advlab.experiment
class Squares(Experiment):
    '''Squares of whole numbers: needs no network.'''
    name = "squares"
    paper = "none, figure 0"
    title = "Squares"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params:
        count: int = 3  # how many

    def cells(self, ctx):
        return [Cell(f"n-{i}", {"i": i}) for i in range(self.params.count)]

    def measure(self, ctx, cell):
        return [Line(cell.payload["i"], float(cell.payload["i"] ** 2))]

    def cost(self, ctx):
        '''Nothing.'''
        return Cost()

    def claims(self, table):
        return []

    def plot(self, table):
        from matplotlib.figure import Figure
        figure = Figure()
        figure.subplots().plot(table["index"], table["square"])
        return figure
"""
SHORT = ("run.preset=tiny", "probe.trials=4", "probe.radii=[1]", "probe.confidence=0", "run.batch_size=8")
RUN = "outputs/isotropy/blobs-tiny_net/v001"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The three plug-ins as files beside, not in, the working folder's outputs."""
    folder = tmp_path / "my plug-ins"
    folder.mkdir()
    paths = {}
    for name, text in {"net": NET, "blobs": BLOBS, "squares": EXPERIMENT}.items():
        (folder / f"{name}.py").write_text(text)
        paths[name] = str(folder / f"{name}.py")
    return paths


def write(folder: Path, text: str, name: str = "plug.py") -> str:
    """A plug-in file."""
    path = folder / name
    path.write_text("import advlab\n" + text)
    return str(path)


def test_model_and_dataset_run_and_are_archived_with_their_options(
    cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    ended = cli("model=tiny_net", "--plugin", files["net"], "model.width=3", f"--plugin={files['blobs']}", *SHORT)
    assert ended.code == 0, ended.err
    config = yaml.safe_load((tmp_path / RUN / "config.yaml").read_text())
    assert config["model"] == {
        "name": "tiny_net", "width": 3, "depth": 1, "note": "", "checkpoint": "", "sha256": "", "mean": [], "std": [],
    }  # fmt: skip
    assert config["dataset"] == {"name": "blobs", "count": 24, "size": 0, "channels": 0, "split": "test"}
    manifest = json.loads((tmp_path / RUN / "manifest.json").read_text())
    assert manifest["dataset"]["classes"][0] == "<img src=x onerror=alert(1)>"
    assert manifest["model"]["classes"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my plug-ins", "outputs"]
    again = cli("resume", "--plugin", files["net"], RUN)
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
    assert "tiny_net" in cli("--help", *flags).out


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


# where they come from


def test_the_environment_variable(
    cli: Callable[..., Ended], files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.VARIABLE, os.pathsep.join([files["net"], "", files["blobs"]]))
    assert "tiny_net" in cli("list", "models").out
    assert cli("model=tiny_net", "run.dry=true", *SHORT).code == 0
    monkeypatch.setenv(plugins.VARIABLE, "nope.py")
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


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
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


def test_a_relative_plug_in_with_neighbours(shell: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("WIDTH = 7\n")
    write(
        tmp_path,
        "import neighbour\n@advlab.model('n', input_shape=(1, 8, 8))\ndef n(width: int = neighbour.WIDTH): ...\n",
    )
    ended = shell("describe", "n", "--plugin", "plug.py")
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


# how they fail

MODEL = "@advlab.model({name!r}, input_shape=(1, 28, 28), dataset='digits')\ndef build({parameters}):\n    {body}\n"


@pytest.mark.parametrize("name", ["lenet", "vgg16", "lenet_mnist", "none"])
def test_a_taken_name_is_refused(name: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    path = write(tmp_path, MODEL.format(name=name, parameters="", body="..."))
    ended = cli("--plugin", path, "list")
    assert ended.code == 2
    assert path in ended.err
    assert f"the model name {name!r}" in ended.err
    assert "register under another name" in ended.err or "not none" in ended.err


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "../x", "a.b", "a=b", "a,b", "<img onerror=x>", "é", "-x", "null", "x\n"]
)
def test_a_name_that_cannot_be_typed_is_refused(name: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    for text in (
        MODEL.format(name=name, parameters="", body="..."),
        f"@advlab.dataset({name!r})\ndef load(split): ...\n",
        EXPERIMENT.replace('name = "squares"', f"name = {name!r}"),
    ):
        ended = cli("--plugin", write(tmp_path, text), "list")
        assert ended.code == 2
        assert "use letters, digits" in ended.err or "needs a class attribute `name`" in ended.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", ["SyntaxError", "line 2"]),
        ("\n\n1 / 0\n", ["ZeroDivisionError", "line 4"]),
        ("import no_such_module\n", ["ModuleNotFoundError", "no_such_module"]),
        ("import sys; sys.exit(3)\n", ["SystemExit: 3"]),
        ("@advlab.model('n')\ndef n(): ...\n", ["TypeError", "input_shape"]),
        (MODEL.format(name="n", parameters="mean=0", body="..."), ["the model n", "'mean'", "rename"]),
        (MODEL.format(name="n", parameters="name='x'", body="..."), ["the model n", "'name'", "rename"]),
        (MODEL.format(name="n", parameters="x, /", body="..."), ["the model n", "'x'", "cannot be given by name"]),
        ("@advlab.dataset('d')\ndef d(split, size: int = 3): ...\n", ["the dataset d", "'size'", "rename"]),
        ("@advlab.dataset('d')\ndef d(count: int = 3): ...\n", ["the dataset d", "must take split"]),
        ("@advlab.experiment\ndef f(): ...\n", ["must be a class that derives from"]),
        ("@advlab.experiment\nclass E:\n    name = 'e'\n", ["must be a class that derives from"]),
        (
            "from advlab.experiment import Experiment\n@advlab.experiment\nclass E(Experiment):\n    name = 'e'\n",
            ["the experiment e lacks", "cells", "measure", "Params", "Row"],
        ),
        (EXPERIMENT.replace("uses = ()", "uses = ('modle',)"), ["uses 'modle'", "Did you mean model?"]),
        (EXPERIMENT.replace("    Row = Line", "    Row = int"), ["Row must be a dataclass"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_broken_plug_in_is_one_message(
    text: str, words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    for _ in range(2):  # and again: a failed plug-in does not count as loaded
        ended = cli("--plugin", path, "list")
        assert ended.code == 2
        assert ended.err.startswith(f"advlab: the plug-in {path}")
        for word in words:
            assert word in ended.err
        assert "Traceback" not in ended.err


LINEAR = "from torch import nn; net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)); "


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 3", ["must return a torch.nn.Module", "int"]),
        ("pass", ["must return a torch.nn.Module", "NoneType"]),
        (LINEAR + "return nn.Sequential(net, nn.Softmax(1))", ["gives probabilities", "logits are needed"]),
        (LINEAR + "return net[:1]", ["n"]),
        (LINEAR + "return nn.Sequential(net, nn.Unflatten(1, (2, 5)))", ["logits of shape (N, classes)", "(2, 2, 5)"]),
        ("from torch import nn; return nn.Linear(5, 10)", ["does not take images of 1x28x28", "input_shape"]),
        ("from torch import nn; return nn.Sequential(nn.Flatten(), nn.Linear(784, 7))", ["7 classes", "10"]),
    ],
)
def test_a_network_that_does_not_fit(body: str, words: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    path = write(tmp_path, MODEL.format(name="n", parameters="", body=body))
    ended = cli("--plugin", path, "model=n", *SHORT)
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("None", ["must return (images, labels, class names)"]),
        ("np.zeros((4, 8)), np.zeros(4, int), ['a', 'b']", ["images must be (N, H, W)", "(4, 8)"]),
        ("np.full((4, 8, 8), 7.0), np.zeros(4, int), ['a', 'b']", ["floats in [0, 1]"]),
        ("np.zeros((4, 8, 8)), np.zeros(4), ['a', 'b']", ["labels must be (N,) integers"]),
        ("np.zeros((0, 8, 8)), np.zeros(0, int), ['a', 'b']", ["no images"]),
        ("np.zeros((4, 8, 8)), np.zeros(3, int), ['a', 'b']", ["labels"]),
        ("np.zeros((4, 8, 8)), np.full(4, 9), ['a', 'b']", ["label"]),
    ],
)
def test_a_dataset_that_does_not_fit(
    returned: str, words: list[str], cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, f"import numpy as np\n@advlab.dataset('blobs')\ndef d(split): return {returned}\n")
    ended = cli("--plugin", files["net"], "--plugin", path, "model=tiny_net", *SHORT)
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "outputs").exists()


def test_registering_needs_no_torch_and_keeps_the_decorator(shell: Callable[..., Ended], tmp_path: Path) -> None:
    """`from advlab.experiment import Experiment` must not put the module in the decorator's place."""
    path = write(
        tmp_path,
        "import sys\nfrom advlab.experiment import Experiment\nassert callable(advlab.experiment)\n"
        "assert 'torch' not in sys.modules\n" + EXPERIMENT,
    )
    assert shell("list", "experiments", "--plugin", path).code == 0
