"""Links of the checkout's files lead to where their targets stand in the site, and links in code are left alone."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.helpers.import_graph import ROOT
from website import doctest_blocks, places
from website.places import papers, place_of, rewritten


@pytest.mark.parametrize("module", [places, doctest_blocks])
def test_examples(module: object) -> None:
    assert doctest.testmod(module).attempted > 0  # type: ignore[arg-type]
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "link", "led"),
    [
        ("README.md", "docs/speed.md", "speed.md"), ("README.md", "CONTRIBUTING.md#a-gpu", "contributing.md#a-gpu"),
        ("README.md", "experiments/aghdam2017/README.md#figure-1", "papers/aghdam2017.md#figure-1"),
        ("README.md", "docs/topology.png", "topology.png"), ("README.md", "examples/", "how-to/examples.md"),
        ("README.md", "docs/tutorial.ipynb", "tutorial.md"), ("README.md", "LICENSE", "checkout/LICENSE"),
        ("docs/how-to/attack.md", "../../examples/attack.py", "examples.md#attackpy"),
        ("docs/how-to/attack.md", "../concepts/noise.md", "../concepts/noise.md"),
        ("docs/speed.md", "../CONTRIBUTING.md#a-gpu", "contributing.md#a-gpu"),
        ("experiments/surveys/README.md", "../gunther2017/README.md#table-1", "gunther2017.md#table-1"),
        ("experiments/aghdam2017/README.md", "../../docs/topology.png", "../topology.png"),
        ("README.md", "https://docs.astral.sh/uv", "https://docs.astral.sh/uv"), ("README.md", "#gallery", "#gallery"),
        ("README.md", "docs/nowhere.md", "docs/nowhere.md"),
    ],
)  # fmt: skip
def test_a_link(file: str, link: str, led: str) -> None:
    copied: list[str] = []
    assert rewritten(f"see [this]({link}).", file, ROOT, copied.append) == f"see [this]({led})."
    assert copied == (["LICENSE"] if link == "LICENSE" else [])


def test_code_is_left_alone() -> None:
    for code in ("```python\nf[x](docs/speed.md)\n```\n", "    f[x](docs/speed.md)\n"):
        text = rewritten(f"[a](docs/speed.md)\n\n{code}\n[b](docs/speed.md)", "README.md", ROOT)
        assert text == f"[a](speed.md)\n\n{code}\n[b](speed.md)"


def test_every_paper_has_a_page() -> None:
    assert len(papers(ROOT)) >= 5
    assert {place_of(f"experiments/{paper}/README.md") for paper in papers(ROOT)} == {
        f"papers/{paper}.md" for paper in papers(ROOT)
    }


def test_no_link_of_the_checkout_is_dead() -> None:
    """Each relative link of README, docs/, the papers' pages and CONTRIBUTING.md has a file; `make docs` checks the anchors."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    pages += list(ROOT.glob("experiments/*/README.md"))
    dead = []
    for page in pages:
        for found in places.LINK.finditer(places.FENCE.sub("", page.read_text(encoding="utf-8"))):
            target = found[2]
            if target and "://" not in target and not (page.parent / target).exists():
                dead.append((str(page.relative_to(ROOT)), target))
    assert dead == []
    assert Path(ROOT / "docs/gallery.yaml").is_file()
