"""The API reference: every page has an example that runs, and every public name stands on a page."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.helpers.import_graph import ROOT

PAGES = sorted(path for path in (ROOT / "docs" / "reference").glob("*.md") if path.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_its_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("package", ["advlab", "attacks", "defenses", "lab", "statistics", "testing"])
def test_every_public_name_is_there(package: str) -> None:
    name = package if package == "advlab" else f"advlab.{package}"
    page = (ROOT / "docs" / "reference" / f"{package}.md").read_text(encoding="utf-8")
    (listed,) = re.findall(rf"^::: {re.escape(name)}\n    options:\n      members: \[(.*)\]$", page, re.MULTILINE)
    types = {"Arrays", "Frame", "Figure", "Settings"}  # of advlab.lab: aliases without a docstring
    assert set(listed.split(", ")) == set(importlib.import_module(name).__all__) - {"__version__"} - types


def test_what_pages_document_is_there() -> None:
    for page in PAGES:
        for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            parts = name.split(".")
            path = ROOT.joinpath(*parts)
            whole = path.is_dir() or path.with_suffix(".py").is_file()
            assert whole or hasattr(importlib.import_module(".".join(parts[:-1])), parts[-1]), name
