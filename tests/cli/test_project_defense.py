"""`defense=project` on the command line: its file is asked for before anything starts, and must be there when a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from advlab.config.compose import Composer
from advlab.defenses import Chain, Project
from tests.helpers.commands import Ended

LINE = ["experiment=attack_survey", "attack=fgs", "run.preset=tiny", "recipe.epochs=1"]


@pytest.mark.parametrize("choices", ["blur,project", "blur,[blur,project]"])
def test_a_sweep_without_the_file_does_not_start(choices: str, tmp_path: Path, cli: Callable[..., Ended]) -> None:
    ended = cli("--multirun", *LINE, f"defense={choices}")
    assert ended.code == 2
    assert "project needs the directions: path=FILE" in ended.err
    assert not (tmp_path / "outputs").exists()


def test_the_file_of_one_among_several(tmp_path: Path) -> None:
    file = tmp_path / "basis.safetensors"
    save_file({"basis": torch.eye(64)[:, :9].contiguous()}, file)
    line = [*LINE, "defense=[blur,project]", f"defense.project.path='{file}'"]
    with Composer(None) as composer:
        (settings,) = composer.jobs(line, multirun=False)
    assert isinstance(settings.defense, Chain)
    assert settings.defense.of[1] == Project(path=str(file))


def test_a_run_whose_file_changed_is_not_resumed(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    file = tmp_path / "basis.safetensors"
    save_file({"basis": torch.eye(784)[:, :600].contiguous()}, file)
    content = file.read_bytes()
    assert cli(*LINE, "defense=project", f"defense.path={file}").code == 0
    run = str(tmp_path / "outputs/attack_survey/digits-lenet-fgs-project/v001")
    save_file({"basis": torch.eye(784)[:, :500].contiguous()}, file)
    ended = cli("resume", run)
    assert ended.code == 2
    assert "put back the content that it had, or for a new run leave sha256 out\n" in ended.err
    file.write_bytes(content)
    assert cli("resume", run).code == 0
