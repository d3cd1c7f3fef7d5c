"""How plug-ins fail: one message that names the file, the fault and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import Ended
from tests.helpers.plugins import EXPERIMENT, SHORT, write

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
            "from advlab.lab import Experiment\n@advlab.experiment\nclass E(Experiment):\n    name = 'e'\n",
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
    """`from advlab.lab import Experiment` must not put the module in the decorator's place."""
    path = write(
        tmp_path,
        "import sys\nfrom advlab.lab import Experiment\nassert callable(advlab.experiment)\n"
        "assert 'torch' not in sys.modules\n" + EXPERIMENT,
    )
    assert shell("list", "experiments", "--plugin", path).code == 0


@pytest.mark.parametrize("body", ["import torch; return torch.nn.Linaer(5, 10)", "return undefined", "return {}['x']"])
def test_a_typo_in_a_factory_is_one_message_with_its_line(body: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    text = MODEL.format(name="n", parameters="", body=body)
    path = write(tmp_path, text)
    line = next(number for number, line in enumerate(Path(path).read_text().splitlines(), 1) if body in line)
    ended = cli("--plugin", path, "model=n", *SHORT)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "the plug-in's factory of networks failed: " in ended.err
    assert f"{path}, line {line}): mend it" in ended.err


def test_a_loader_that_fails_is_one_message_with_its_line(
    cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, "@advlab.dataset('blobs')\ndef d(split): return undefined\n")
    ended = cli("--plugin", files["net"], "--plugin", path, "model=tiny_net", *SHORT)
    assert ended.code == 2
    assert "blobs: its loader failed: NameError: name 'undefined' is not defined" in ended.err
    assert f"{path}, line " in ended.err


def test_a_choice_of_a_plug_in_that_is_not_loaded(cli: Callable[..., Ended]) -> None:
    for group in ("model", "dataset", "attack", "defense", "experiment"):
        ended = cli(f"{group}=qqq_zzz")
        assert f"One of your own needs its file: advlab --plugin FILE.py {group}=qqq_zzz" in ended.err
    assert "--plugin FILE.py describe qqq_zzz" in cli("describe", "qqq_zzz").err
    near = cli("model=mycnn").err
    assert "Did you mean nin" in near
    assert near.rstrip().endswith("One of your own needs its file: advlab --plugin FILE.py model=mycnn")
    near = cli("describe", "mycnn").err
    assert "Did you mean nin" in near
    assert near.rstrip().endswith("advlab --plugin FILE.py describe mycnn")
    for other in ("recipe=mine", "probe=mine", "cluster=mine", "model=cnn.pt", "run.seed=x"):
        assert "--plugin" not in cli(other).err


def test_a_plug_in_that_registers_nothing_says_so(
    cli: Callable[..., Ended], files: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, "def build(): ...\n")
    ended = cli("--plugin", path, "model=mycnn")
    assert ended.code == 2
    assert f"warning: the plug-in {path} registers nothing: put @advlab.model(...)" in ended.err
    assert "there is no model 'mycnn'" in ended.err
    assert "registers nothing" not in cli("--plugin", files["net"], "list").err


def test_near_names_stand_before_others(cli: Callable[..., Ended]) -> None:
    """Of a hundred networks the twelve that are listed are the nearest, and not those with an a."""
    said = cli("model=resnet99").err
    assert "There are: resnet" in said
    assert "aghdam" not in said
