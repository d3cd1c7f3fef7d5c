"""The picture of the architecture has every part in its level, with words that fit into their boxes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.helpers.import_graph import MODULE_FILES, ROOT
from website.architecture import HOLDS, LEFT_OUT, MARKER, architecture_page, architecture_svg, levels

ROWS = levels(ROOT)
PICTURE = ElementTree.fromstring(architecture_svg(ROWS))


def test_every_part_of_advlab_stands_in_it() -> None:
    there = {name.split(".")[1] for name in MODULE_FILES if name.count(".")}
    drawn = {part for row in ROWS for part in row}
    assert there - LEFT_OUT <= drawn
    assert set(HOLDS) == drawn, "each part has its words"


def test_boxes_stand_in_levels_and_hold_their_text() -> None:
    tops: dict[str, float] = {}
    for group in PICTURE.iter("g"):
        box = group.find("rect")
        assert box is not None
        name, words = [text.text or "" for text in group.findall("text")]
        tops[name] = float(box.attrib["y"])
        assert len(words) * 5.6 < float(box.attrib["width"]), f"{name}: {words} is too long"
        assert len(name) * 8.0 < float(box.attrib["width"])
    assert tops["experiments"] < tops["cli"] < tops["engine"] < tops["attacks"] < tops["store"] < tops["errors"]
    assert tops["defenses"] == tops["geometry"] == tops["probes"]


def test_it_takes_its_colours_from_the_page() -> None:
    text = architecture_svg(ROWS)
    assert not re.search(r"#[0-9a-f]{3}|fill=|rgb", text)
    assert "currentColor" in (ROOT / "docs" / "site.css").read_text(encoding="utf-8")


def test_it_stands_where_its_marker_does() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert page.count(MARKER) == 1
    assert "<svg" in architecture_page(page, ROOT)
    assert "\n\n" not in architecture_svg(ROWS)  # an empty line would end the block of HTML
