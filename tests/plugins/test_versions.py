"""Versions of plug-ins: a run that another version of their code began is not gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import Ended

PLUGIN = '''
import advlab

@advlab.attack("brighter", version=ATTACK)
def brighter(model, x, y):
    """Adds some grey."""
    return x + 0.1

@advlab.defense("darker", version=DEFENSE)
def darker(images):
    """Takes some grey away."""
    return images * 0.9

@advlab.model("flat", input_shape=(1, 28, 28), classes=10, dataset="digits", version=MODEL)
def flat():
    """A linear network."""
    import torch
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
'''


@pytest.mark.parametrize("raised", ["ATTACK", "DEFENSE", "MODEL"])
def test_code_of_another_version_does_not_go_on(raised: str, forked: Callable[..., Ended], tmp_path: Path) -> None:
    def write(**versions: int) -> str:
        text = PLUGIN
        for name in ("ATTACK", "DEFENSE", "MODEL"):
            text = text.replace(f"={name}", f"={versions.get(name, 1)}")
        (tmp_path / "mine.py").write_text(text)
        return f"--plugin={tmp_path / 'mine.py'}"

    line = ["experiment=attack_survey", "attack=brighter", "defense=darker", "model=flat", "run.preset=tiny"]
    ended = forked(write(), *line)
    assert ended.code == 0, ended.err
    run = tmp_path / "outputs/attack_survey/digits-flat-brighter-darker/v001"
    for path in (run / "cells").glob("*.csv"):
        path.unlink()
    ended = forked(write(**{raised: 2}), "resume", str(run))
    assert ended.code == 2
    assert f"another version of the {raised.lower()}" in ended.err
    assert forked(write(), "resume", str(run)).code == 0


def test_code_that_changed_without_its_version_is_seen_by_its_behaviour(
    forked: Callable[..., Ended], tmp_path: Path
) -> None:
    text = PLUGIN.replace("=ATTACK", "=1").replace("=DEFENSE", "=1").replace("=MODEL", "=1")
    plugin = tmp_path / "mine.py"
    plugin.write_text(text)
    line = [f"--plugin={plugin}", "experiment=attack_survey", "attack=fgs", "defense=darker", "model=flat"]
    assert forked(*line, "run.preset=tiny").code == 0
    run = tmp_path / "outputs/attack_survey/digits-flat-fgs-darker/v001"
    for path in (run / "cells").glob("*.csv"):
        path.unlink()
    plugin.write_text(text.replace("0.9", "0.5"))
    ended = forked(line[0], "resume", str(run))
    assert ended.code == 2
    assert "the outputs of flat are not those that this run began with" in ended.err
