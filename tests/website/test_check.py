"""The check of a built site finds dead links, dead anchors, requests to others, and Markdown that was left as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from website.check import faults, main

GOOD = '<h1 id="a">A</h1><a href="sub/b.html#c">b</a><a href="#a">a</a><img src="x.png"><a href="https://x.org/">x</a>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(GOOD, encoding="utf-8")
    (tmp_path / "sub" / "b.html").write_text('<p id="c"><a href="../index.html">up</a></p>', encoding="utf-8")
    (tmp_path / "x.png").write_bytes(b"")
    return tmp_path


def test_a_good_site(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(faults(site)) == []
    assert main([str(site)]) == 0
    assert "2 pages looked at, 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('<a href="nowhere.html">x</a>', "nowhere.html leads nowhere"), ('<a href="sub/b.html#d">x</a>', "has no #d"),
        ('<a href="#b">x</a>', "has no #b"), ('<img src="y.png">', "y.png leads nowhere"),
        ('<script src="https://cdn.example/x.js"></script>', "from elsewhere"),
        ('<link rel="stylesheet" href="//fonts.example/css">', "from elsewhere"), ('<a href="/docs/">x</a>', "begins at the root"),
        ("<p>| a | |---|</p>", "is left as text"), ("<p>see [this](that.md)</p>", "is left as text"),
    ],
)  # fmt: skip
def test_a_fault(bad: str, words: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "index.html").write_text(GOOD + bad, encoding="utf-8")
    (line,) = faults(site)
    assert line.startswith("index.html: ")
    assert words in line
    assert main([str(site)]) == 1
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    "fine", ["<code>[x](y)</code>", "<pre>|---|</pre>", '<link rel="canonical" href="https://x/">']
)
def test_code_and_names_of_places_are_no_faults(fine: str, site: Path) -> None:
    (site / "index.html").write_text(GOOD + fine, encoding="utf-8")
    assert list(faults(site)) == []


def test_styles_that_ask_others(site: Path) -> None:
    (site / "a.css").write_text(
        "@import url(https://fonts.example/x.css); b { background: url(x.png) }", encoding="utf-8"
    )
    assert list(faults(site)) == ["a.css: asks https://fonts.example/x.css"]


def test_an_empty_site_is_a_fault(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1
