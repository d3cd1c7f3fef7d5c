"""The board as text, Markdown, HTML, CSV and JSON: all of it is there, within the width, and hostile words stay words."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from advlab.results.board.board import Board, board_of
from advlab.results.board.html import board_html
from advlab.results.board.markdown import board_markdown
from advlab.results.board.runs import finished_runs
from advlab.results.board.text import board_text
from advlab.results.board.tidy import board_csv, board_json
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run

HOSTILE = 'figure 2: a | b <script>alert(1)</script> `c` **d** "e" & f'


def board(folder: Path) -> Board:
    return board_of(finished_runs([folder]).runs)


@pytest.fixture
def large(tmp_path: Path) -> Board:
    """12 networks, of which one has three seeds that do not agree, and 40 statements."""
    for network in range(12):
        for seed in range(3 if network == 1 else 1):
            claims = [
                claim_of(
                    ("holds", "does not hold", "undecided")[(network + n * (seed + 1)) % 3], claim=f"c{n}",
                    statement=f'section 2.{n % 4}: "statement {n} about all of the networks at distance epsilon"',
                )
                for n in range(40)
            ]  # fmt: skip
            nodes = claimed_nodes(model=f"network_{network}", run={"seed": seed})
            finished_run(tmp_path / f"{network}-{seed}", nodes, claims, scope="most")
    return board(tmp_path)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_forty_statements_on_twelve_networks_fit_the_width(width: int, large: Board) -> None:
    text = board_text(large, width)
    assert max(map(len, text.splitlines())) <= width
    for network in range(12):
        assert text.count(f"network_{network} on digits") >= 40
    for statement in range(40):
        assert " ".join(f'"statement {statement} about all of the networks at distance epsilon"'.split()) in " ".join(
            text.split()
        )
    assert "(holds in 1 of 3, " in text
    assert text.endswith("+ holds, - does not hold, ? undecided, . not measured")


def test_the_overview_has_a_sign_for_each_network_and_statement(large: Board) -> None:
    blocks = board_text(large, 80).split("\n\n")[-4:]
    numbers: list[str] = []
    signs: dict[str, str] = {}
    for block in blocks:
        head, *lines = block.splitlines()
        if not head.startswith("isotropy"):
            continue
        numbers += head.split()[1:]
        for line in lines[:-1]:
            signs[line[:20].strip()] = signs.get(line[:20].strip(), "") + "".join(line[20:].split())
    assert numbers == [str(n + 1) for n in range(40)]
    assert len(signs) == 12
    assert signs["network_0 on digits"] == "".join("+-?"[n % 3] for n in range(40))
    assert signs["network_5 on digits"] == "".join("+-?"[(5 + n) % 3] for n in range(40))


def hostile(folder: Path) -> Board:
    for number, verdict in enumerate(("holds", "does not hold")):
        claim = claim_of(verdict, statement=HOSTILE, subset="=1+1|<i>", quantity="x\x1b[2J\ny")  # type: ignore[arg-type]
        finished_run(folder / str(number), claimed_nodes(model=f"<b>|{number}\n"), [claim])
    return board(folder)


def test_markdown_keeps_its_cells(tmp_path: Path) -> None:
    lines = board_markdown(hostile(tmp_path)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    unescaped = [row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows]
    assert len(rows) == 3
    assert set(unescaped) == {6}
    assert "<" not in "".join(lines).replace("\\<", "")
    assert "| holds, 0.9 [0.8, 0.95] |" in rows[2]


class Page(HTMLParser):
    """The tags of a page, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_page_without_script(tmp_path: Path) -> None:
    page = Page(board_html(hostile(tmp_path)))
    assert not {"script", "i", "img", "link", "iframe"} & set(page.tags)
    assert not {"src", "href", "onload", "onclick"} & set(page.attributes)
    assert "<script>alert(1)</script>" in page.text
    assert "=1+1|<i>" in page.text
    assert "+holds" in page.text
    assert "-does not hold" in page.text
    assert "0.9 [0.8, 0.95]" in page.text
    assert "\x1b" not in page.text


def test_csv_holds_no_formula_and_reads_back(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(board_csv(hostile(tmp_path)))))
    assert [row["verdict"] for row in rows] == ["holds", "does not hold"]
    assert {row["subset"] for row in rows} == {"'=1+1|<i>"}
    assert {row["section"] for row in rows} == {"figure 2"}
    assert [float(row["low"]) for row in rows] == [0.8, 0.05]
    assert rows[0]["statement"] == HOSTILE.removeprefix("figure 2: ")


def test_json_has_no_nan(tmp_path: Path) -> None:
    finished_run(
        tmp_path / "v001", claimed_nodes(), [claim_of("not measured"), claim_of("holds", claim="b", low=float("-inf"))]
    )
    content = json.loads(board_json(board(tmp_path)), parse_constant=lambda name: pytest.fail(name))
    (experiment,) = content["experiments"]
    none, bounded = (statement["cells"][0] for statement in experiment["statements"])
    assert (none["verdict"], none["estimate"]) == ("not measured", None)
    assert (bounded["low"], bounded["high"], bounded["estimate"]) == (None, 0.95, 0.9)


def test_the_terminal_shows_no_control_signs(tmp_path: Path) -> None:
    text = board_text(hostile(tmp_path), 80)
    assert "\x1b" not in text
    assert "x\\x1b[2J\\ny" in text
