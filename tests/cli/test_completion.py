"""What the shell offers at the tabulator key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import Ended

PLUGIN = """
import advlab

@advlab.model("grown_net", input_shape=(1, 28, 28), dataset="digits")
def grown_net(width: int = 3):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
"""


def completed(call: Callable[..., Ended], line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash would offer for a line with the cursor at its end."""
    for key, value in {"COMP_LINE": line, "COMP_POINT": len(line), "COMP_CWORD": len(line.split()) - 1}.items():
        monkeypatch.setenv(key, str(value))
    ended = call("-sc", "query=bash")
    assert ended.code == 0
    assert ended.err == ""
    return ended.out.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("advlab mod", "model="),
        ("advlab model=len", "model=lenet"),
        ("advlab model=len", "model=lenet_mnist"),
        ("advlab model=lenet run.see", "run.seed="),
        ("advlab run.data", "run.data_root="),
        ("advlab experiment.fl", "experiment.floor_factor="),
        ("advlab -m model=lenet,mlp dataset=digits model.h", "model.hidden="),
        ("advlab experiment=attack_survey attack=fooling attack.lev", "attack.level="),
        ("advlab recipe.ep", "recipe.epochs="),
        ("advlab -m model=vgg1", "model=vgg16"),
        ("advlab --plugin nope.py model=len", "model=lenet"),
    ],
)
def test_completion(
    line: str, wanted: str, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offered = completed(cli, line, monkeypatch)
    assert wanted in offered
    assert all(word.startswith(line.split()[-1]) for word in offered)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--plugin plug.py", "--plugin=plug.py", "run.seed=1 --plugin plug.py"])
def test_completion_knows_plugins(
    flag: str, shell: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "plug.py").write_text(PLUGIN)
    assert completed(shell, f"advlab {flag} model=grown", monkeypatch) == ["model=grown_net"]


def test_completion_installs(shell: Callable[..., Ended]) -> None:
    ended = shell("-sc", "install=bash")
    assert ended.code == 0
    assert "complete" in ended.out
    assert "advlab" in ended.out
