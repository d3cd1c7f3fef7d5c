"""Bad lines name fault and remedy, exit with 2, import nothing heavy and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.helpers.bad_lines import BAD, shown
from tests.helpers.commands import Ended

TORCHLESS = """
import json, sys
from advlab.cli.main import run
HEAVY = {"torch", "torchvision", "pandas", "matplotlib", "scipy", "cv2"}
for line, code in json.loads(sys.argv[1]):
    assert run(line) == code, line
    assert not HEAVY & set(sys.modules), (line, HEAVY & set(sys.modules))
"""


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[f"{n}: {shown(line)}" for n, (line, _) in enumerate(BAD)])
def test_bad_line_names_fault_and_remedy(
    arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("advlab: ")
    for word in words:
        assert word in ended.err
    for never in ("Traceback", "HYDRA_FULL_ERROR", "LexerNoViable", "object_type", "no viable alternative"):
        assert never not in ended.err
    assert len(ended.err) < 4000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run.device=mps"], ["run.device=mps", "run.device=cpu"]),
        (["run.device=cuda:77"], ["run.device=cuda:77", "run.device=cpu"]),
        (["recipe=none"], ["no recipe", "recipe=NAME"]),
        (["model.checkpoint=nope.safetensors"], ["nope.safetensors does not exist", "model.checkpoint"]),
        (["dataset=folder"], ["dataset.root=/path/to/images"]),
        (["dataset=folder", "dataset.root=nope"], ["nope", "dataset.root="]),
        (["model=vgg16"], ["imagenet does not exist", "dataset.root=/path/to/imagenet"]),
        (["model=vgg16", "dataset=digits"], ["3x224x224", "dataset.size=224 dataset.channels=3"]),
        (["dataset.size=32"], ["1x28x28", "model.input=[1,32,32]"]),
        (["model=mlp", "dataset=digits", "model.classes=11"], ["11 classes", "model.classes=10"]),
        (["model=lenet_mnist", "run.download=false"], ["MNIST is not in", "run.data_root="]),
    ],
    ids=lambda value: shown(value) if value and "=" in value[0] else "",
)
def test_what_only_loading_finds_leaves_nothing_either(
    arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*arguments)
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_cuda_is_refused_where_there_is_none(cli: Callable[..., Ended], tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    ended = cli("run.device=cuda")
    assert ended.code == 2
    assert "run.device=auto or run.device=cpu" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """One process for many lines: it stops at the first that imports torch, pandas or matplotlib."""
    lines: list[tuple[list[str], int]] = [
        (["--help"], 0), (["--version"], 0), (["list"], 0), (["describe", "isotropy"], 0), (["describe", "vgg16"], 0),
        (["describe", "run"], 0), (["describe", "lenet_digits"], 0), (["--cfg", "job"], 0),
        *[(line, 2) for line, _ in BAD[::4] if not any("\0" in text or len(text) > 1000 for text in line)],
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TORCHLESS, json.dumps(lines)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_a_fault_in_a_process_of_its_own(shell: Callable[..., Ended], tmp_path: Path) -> None:
    ended = shell("model=vgg61")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("advlab: there is no model 'vgg61'. Did you mean vgg16")
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
