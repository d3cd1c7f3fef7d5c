"""One version, wherever it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import advlab

ROOT = Path(__file__).resolve().parent.parent


def stated(file: str, pattern: str) -> str:
    """The first group of a pattern's first place in a file of the checkout."""
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, file
    return found[1]


def test_the_places_of_the_version_agree() -> None:
    assert stated("pyproject.toml", r'^version = "(.+)"$') == advlab.__version__
    assert stated("CITATION.cff", r"^version: (.+)$") == advlab.__version__
    assert stated("CHANGELOG.md", r"^## (\d+\.\d+\.\d+)") == advlab.__version__


@pytest.mark.parametrize("author", ["Aghdam", "Barati", "Günther", "Jetley"])
def test_the_citation_names_the_four_papers(author: str) -> None:
    assert f"family-names: {author}," in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
