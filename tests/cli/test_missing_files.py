"""What is missing is told before torch is loaded: data, weights, plug-ins, and a place to write to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.errors import ConfigError
from advlab.store.atomic import StorageError
from advlab.store.run_versions import check_place
from tests.helpers.commands import Ended

TORCHLESS = """
import json, sys
from advlab.cli.main import run
for line in json.loads(sys.argv[1]):
    assert run(line) == 2, line
    assert "torch" not in sys.modules, line
"""
MISSING = {
    "dataset=folder": "no image folder is named: type dataset.root=",
    "dataset=folder dataset.root=absent": "absent is no folder",
    "model=vgg16": "imagenet does not exist",
    "model=lenet_mnist run.download=false": "MNIST is not in",
    "model.checkpoint=absent.pt": "absent.pt does not exist: model.checkpoint must name a file of weights",
    "experiment=attack_survey attack=fgs experiment.transfer=[mlp] model.checkpoint=absent.pt": "absent.pt does not exist",
    "--plugin absent.py": "absent.py does not exist",
    "run.output_root=/dev/null/x": "run.output_root=/dev/null/x: no folder can be made in /dev/null (Not a directory)",
    "run.output_root=/proc/x": "run.output_root=/proc/x: no folder can be made in /proc",
    "-m run.output_root=/proc/x": "run.output_root=/proc/x: no folder can be made in /proc",
    "run.dry=true model.checkpoint=absent.pt": "absent.pt does not exist",
}


def test_what_is_missing_is_told_without_torch(tmp_path: Path) -> None:
    lines = json.dumps([line.split() for line in MISSING])
    done = subprocess.run(
        [sys.executable, "-c", TORCHLESS, lines], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = done.stderr.splitlines()
    assert len(told) == len(MISSING)
    for text, fault in zip(told, MISSING.values(), strict=True):
        assert text.startswith("advlab: ")
        assert fault in text
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_be_written_stays_as_it_was(tmp_path: Path) -> None:
    check_place(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"dangling: no folder can be made in .*dangling"):
        check_place(tmp_path / "dangling")


def test_a_full_disk_is_no_fault_of_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("advlab.store.run_versions.tempfile.mkdtemp", full)
    with pytest.raises(StorageError, match=r"No space left on device.*run.output_root=") as caught:
        check_place(tmp_path)
    assert caught.value.exit_code == 1


def test_a_figure_without_a_name_is_refused(cli: Callable[..., Ended], tmp_path: Path) -> None:
    """`-o ''` once named the working folder, and ended in a traceback."""
    assert cli("experiment=training_grids", "run.preset=tiny").code == 0
    for output in ("", "."):
        ended = cli("plot", "outputs/training_grids/v001", "-o", output)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("advlab: --output names no file: type a file (.png, .pdf, .svg)")
    ended = cli("plot", "outputs/training_grids/v001", "-o", "a/b.jpg")
    assert (ended.code, "the suffix must be .png, .pdf or .svg" in ended.err) == (2, True)


def test_a_key_that_no_launcher_takes_is_named(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("-m", "+hydra.launcher.x=1", "experiment=training_grids", "run.preset=tiny")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "advlab: hydra.launcher.x: there is no such key: leave it out\n"


def test_all_shows_what_is_run_and_what_hydra_knows(cli: Callable[..., Ended]) -> None:
    """Of a list of defenses Hydra's own merge is another thing than what is run."""
    job, everything = cli("--cfg", "job", "defense=[blur,noise]"), cli("--cfg", "all", "defense=[blur,noise]")
    assert (job.code, everything.code) == (0, 0)
    assert everything.out.startswith(job.out)
    assert "  name: chain\n  of:\n  - name: blur\n" in everything.out
    assert "\nhydra:\n" in everything.out
    assert cli("--cfg", "all", "defense=[blur,noise]", "--package", "defense").out.startswith("name: chain\n")
    assert "BasicLauncher" in cli("--cfg", "all", "--package", "hydra.launcher").out
