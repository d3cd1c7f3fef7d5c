"""The report of made-up runs: by paper and figure, the same bytes, and what is hostile or damaged in one line each."""

from __future__ import annotations

import contextlib
import os
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from advlab.errors import AdvlabError, ResultError
from advlab.results.page.contents import report_of
from advlab.results.page.rendering import report_html
from advlab.results.page.reproduction import Reproduction, Reproductions
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import write_sealed
from tests.helpers.claimed_runs import claim_of, claimed_nodes
from tests.helpers.reported_runs import HOSTILE_TEXT, drawn_png, hostile_run, reported
from tests.helpers.run_files import flip
from tests.helpers.strangers import altered


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(*places: Path) -> str:
    return report_html(report_of(places))


def test_runs_stand_by_paper_and_figure(tmp_path: Path) -> None:
    for name, experiment, paper in [
        ("a", "curvature", "jetley2018, section 2.2"), ("b", "topology", "aghdam2017, figure 10"),
        ("c", "isotropy", "aghdam2017, figure 2"), ("d", "of_a_plugin", "nobody2030, table 1"),
        ("e", "class_scores", "jetley2018, figure 2"), ("f", "isotropy", "aghdam2017, figure 2"),
    ]:  # fmt: skip
        reported(tmp_path / name, claimed_nodes(experiment, run={"seed": ord(name)}), paper=paper)
    report = report_of([tmp_path])
    assert [(p.key, [(f.place, f.experiment, len(f.runs)) for f in p.figures]) for p in report.papers] == [
        ("aghdam2017", [("figure 2", "isotropy", 2), ("figure 10", "topology", 1)]),
        ("jetley2018", [("figure 2", "class_scores", 1), ("section 2.2", "curvature", 1)]),
        ("nobody2030", [("table 1", "of_a_plugin", 1)]),
    ]
    assert report.papers[0].title.startswith("Aghdam, Heravi and Puig 2017: ")
    assert report.papers[2].title == ""
    assert (
        report.papers[0].figures[0].title == "Range of the true class's score over random perturbations of equal norm"
    )
    assert report.remarks == []
    anchors = [run.anchor for run in report.runs]
    assert len(set(anchors)) == 6
    labels = [run.label for run in report.papers[0].figures[0].runs]
    assert labels == ["lenet on digits, seed=99", "lenet on digits, seed=102"]
    page = Elements(report_html(report))
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {str(attributes["href"])[1:] for attributes in page.named("a")}
    assert links <= targets
    assert {"board", *anchors} <= links


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for seed in (0, 1):
        reported(tmp_path / f"v{seed}", claimed_nodes(run={"seed": seed}))
    first = page_of(tmp_path)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    assert page_of(tmp_path) == first
    assert page_of(tmp_path / "v0", tmp_path / "v1") == first
    assert page_of(tmp_path / "v0", tmp_path) == first  # each once


def test_what_a_reader_wants_of_a_run_is_there(tmp_path: Path) -> None:
    claims = [
        claim_of("holds"),
        claim_of("does not hold", claim="other", statement='table 3: "large"', quantity="a rate"),
    ]
    facts: dict[str, Any] = {
        "seconds": 75.2, "forwards": 1234567, "versions": {"torch": "2.14.1"}, "model": {"weights": "abc123"},
        "git": {"commit": "f00", "dirty": True}, "dataset": {"classes": ["<cat>", "dog"]}, "command": ["advlab", "x=1"],
    }  # fmt: skip
    reported(tmp_path / "v001", claimed_nodes(), claims, **facts)
    page = Elements(page_of(tmp_path))
    for words in (
        '"it is small"', "section 2.1:", "0.9 [0.8, 0.95]", "share, claimed > 0.5", "table 3:", "a rate, claimed > 0.5",
        "0.1 [0.05, 0.2]", "1 min 15 s", "1,234,567", "2.14.1", "abc123", "f00 with changes that are not committed",
        "2: <cat>; dog", "seed: 0", "1 of 2 hold, 1 do not", "conv2", "advlab x=1", "As it was typed",
    ):  # fmt: skip
        assert words in page.text, words
    (figure,) = [image for image in page.named("img") if image.get("data-zooms")]
    assert "Figure of isotropy for lenet on digits: Range of the true class's score" in str(figure["alt"])
    assert "Holds: share, claimed > 0.5. Does not hold: a rate, claimed > 0.5." in str(figure["alt"])
    assert (figure["width"], figure["height"]) == ("40", "30")


def test_nothing_hostile_becomes_an_element(tmp_path: Path) -> None:
    """The elements of a hostile run are those of a kind one, whatever its texts are; and no sign turns the text round."""
    kind, hostile = tmp_path / "kind", tmp_path / "hostile"
    hostile_run(hostile / f"{HOSTILE_TEXT.replace('/', '')[:80]}")
    page = page_of(hostile)
    assert "\u202e" not in page
    found = Elements(page)
    assert "window.hacked" in found.text  # shown as it is
    assert "{{7*7}}" in found.text
    assert len(found.named("script")) == 1
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not str(attributes.get("href", "#")).startswith(("http", "javascript", "//"))
        assert str(attributes.get("src", "data:")).startswith("data:")
    reported(
        kind / "v001", claimed_nodes(), command=["advlab", "x=1"], versions={"torch": "2"},
        files={"figures/isotropy.png": drawn_png(), "files/1.png": drawn_png()},
    )  # fmt: skip
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in Elements(page_of(kind)).elements}


def test_what_is_damaged_is_left_out_and_said(tmp_path: Path) -> None:
    def run(name: str, **options: Any) -> Path:
        return reported(tmp_path / name, claimed_nodes(run={"seed": len(name)}), **options)

    flip(run("a") / "figures/isotropy.png")
    flip(run("bb") / "summary.csv")
    (run("ccc") / "figures/isotropy.png").unlink()
    run("dddd", files={"figures/isotropy.png": b"<svg onload=alert(1)>"})
    run("eeeee", files={"figures/isotropy.png": drawn_png()[:16] + b"\x7f\xff\xff\xff" * 2 + drawn_png()[24:]})
    outside = run("ffffff")
    (outside / "figures/isotropy.png").unlink()
    (outside / "figures/isotropy.png").symlink_to("/etc/passwd")
    run("ggggggg", summary="run,a,b\nx,1\n")
    flip(run("hhhhhhhh") / "claims.csv")
    pipe = run("iiiiiiiii")
    (pipe / "summary.csv").unlink()
    os.mkfifo(pipe / "summary.csv")
    run("whole-and-sound")
    report = report_of([tmp_path])
    assert len(report.runs) == 9
    expected = {
        "a/figures/isotropy.png": "does not match its manifest", "bb/summary.csv": "does not match its manifest",
        "ccc/figures/isotropy.png": "No such file", "dddd/figures/isotropy.png": "no PNG file",
        "eeeee/figures/isotropy.png": "pixels", "ffffff/figures/isotropy.png": "leads out of its run",
        "ggggggg/summary.csv": "not of one length", "hhhhhhhh": "does not match its manifest",
        "iiiiiiiii/summary.csv": "no regular file",
    }  # fmt: skip
    for place, words in expected.items():
        assert [line for line in report.remarks if f"/{place}" in line and words in line], (place, report.remarks)
    page = Elements(report_html(report))
    assert "does not match its manifest" in page.text
    assert "advlab plot" in page.text
    assert len([image for image in page.named("img") if image.get("data-zooms")]) == 4


def test_a_strangers_manifest_is_shown_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in it; nothing but an AdvlabError is raised, and the page holds no script but its own."""
    monkeypatch.setattr(Reproductions, "of", lambda self, nodes, manifest: Reproduction(""))  # takes most of the time
    path = reported(tmp_path / "v001", claimed_nodes(), seconds=3.0, git={"commit": "x"}, model={"name": "lenet"},
                    dataset={"classes": ["a"], "name": "b"}, clean_accuracy={"accuracy": 0.5}, command=["advlab", "x=1"],
                    peak_memory_bytes={"host": 1}, nonfinite={"count": 0}, versions={"torch": "1"})  # fmt: skip
    run, draw = RunDirectory(path), random.Random(0)
    manifest = run.manifest()
    shown = 0
    for _ in range(60):
        content = altered(manifest, draw)
        content.pop("seal", None)
        with contextlib.suppress(ValueError, TypeError):  # of content that is no JSON
            write_sealed(run.manifest_path, content)
        with contextlib.suppress(AdvlabError):
            assert len(re.findall("<script", page_of(tmp_path))) == 1
            shown += 1
    assert shown > 20


def test_without_a_finished_run_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no finished run below"):
        report_of([tmp_path])
    with pytest.raises(ResultError, match="is no folder"):
        report_of([tmp_path / "nope"])
