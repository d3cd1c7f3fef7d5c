"""Every command at the top of an example composes, and there is a test for every example."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from advlab.cli.launch import parse
from advlab.cli.main import take_plugins
from advlab.config.compose import Composer
from advlab.plugins.loading import load_plugins

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def commands(path: Path) -> list[str]:
    """The command lines of an example's first docstring."""
    return re.findall(r"^advlab .*$", ast.get_docstring(ast.parse(path.read_text())) or "", re.MULTILINE)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_a_command_and_a_test(path: Path) -> None:
    assert commands(path)
    assert (ROOT / "tests" / "examples" / f"test_{path.stem}.py").is_file()


@pytest.mark.parametrize("line", [line for path in EXAMPLES for line in commands(path)])
def test_every_command_composes(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    files, words = take_plugins(shlex.split(line)[1:])
    load_plugins(files)
    parsed = parse(words)
    with Composer(None) as composer:
        assert composer.jobs(parsed.overrides, multirun=parsed.flags.multirun)
