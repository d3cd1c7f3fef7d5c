"""mkdocs.yml: every page stands in the navigation once, and nothing is asked of other servers. `make docs` builds it strictly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tests.helpers.import_graph import ROOT
from website.places import MOVED, papers


class Loader(yaml.SafeLoader):
    """Reads tags of Python as nothing."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
SETTINGS = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)


def leaves(nav: Any) -> Iterator[str]:
    """The pages of the navigation."""
    if isinstance(nav, str):
        yield nav
    for part in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from leaves(part)


def test_every_page_stands_in_the_navigation_once() -> None:
    named = list(leaves(SETTINGS["nav"]))
    assert len(named) == len(set(named))
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    made = {*MOVED.values(), "gallery.md", "tutorial.md", "how-to/examples.md"}
    made |= {f"papers/{paper}.md" for paper in papers(ROOT)}
    judged = ["index", *(path.parent.name for path in ROOT.glob("experiments/*/results"))]
    made |= {f"what-does-not-hold/{name}.md" for name in judged}
    assert set(named) == written | made


def test_it_is_strict_and_asks_nobody() -> None:
    assert SETTINGS["strict"] is True
    assert SETTINGS["theme"]["font"] is False
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8") + (ROOT / "docs" / "site.css").read_text(encoding="utf-8")
    assert "http" not in text
    assert set(SETTINGS["validation"]["links"].values()) == {"warn"}


def test_its_hook_and_extension_are_there() -> None:
    assert all((ROOT / file).is_file() for file in SETTINGS["hooks"])
    (extension,) = SETTINGS["plugins"][1]["mkdocstrings"]["handlers"]["python"]["options"]["extensions"]
    file, _, name = extension.partition(":")
    assert f"class {name}(" in (ROOT / file).read_text(encoding="utf-8")
