"""The READMEs' generated tables: those of the checkout are current, and those of made-up results are as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.errors import ConfigError
from benchmarks.published.__main__ import main
from benchmarks.published.readme import BEGIN, outdated, readmes, renew
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run

ROOT = Path(__file__).resolve().parents[3]


def test_the_tables_of_the_readmes_are_current() -> None:
    """Each marker has results, and `make readme` would change nothing."""
    assert len(readmes(ROOT)) >= 5
    assert outdated(ROOT) == []


def generated(checkout: Path, marker: str) -> list[str]:
    """The lines of the table that a marker makes."""
    path = checkout / "README.md"
    path.write_text(f"# advlab\n\n<!-- {marker} -->\nold\n<!-- end -->\nrest\n", encoding="utf-8")
    assert renew(checkout) == [path]
    assert renew(checkout) == outdated(checkout) == []
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# advlab\n\n<!-- {marker} -->\n\n")
    assert text.endswith("\n\n<!-- end -->\nrest\n")
    return text.split("-->\n")[1].rpartition("<!--")[0].strip().splitlines()


def test_a_table_of_claims(checkout: Path) -> None:
    lines = generated(checkout, "claims: isotropy")
    assert lines == [
        "| statement, and what decides it | reading | lenet on digits (30 samples) | vgg on digits (30 samples) |",
        "| --- | --- | --- | --- |",
        '| section 1: "it is small": share, claimed \\> 0.5 | l2 | holds, 0.9 [0.8, 0.95] | undecided, 0.5 [0.3, 0.7] |',
        "| | linf | does not hold, 0.1 [0.05, 0.2] | holds, 0.9 [0.8, 0.95] |",
        '| section 1: "it is large": share, claimed \\> 0.5 | l2 | does not hold, 0.1 [0.05, 0.2] | holds, 0.9 [0.8, 0.95] |',
        "| | linf | holds, 0.9 [0.8, 0.95] | undecided, 0.5 [0.3, 0.7] |",
    ]


def test_a_marker_chooses_claims_networks_and_headings(checkout: Path) -> None:
    lines = generated(checkout, 'claims: isotropy subset="l2*" claims=small networks=b,a names="MLP; LeNet, MNIST"')
    assert lines == [
        "| statement, and what decides it | reading | MLP | LeNet, MNIST |",
        "| --- | --- | --- | --- |",
        '| section 1: "it is small": share, claimed \\> 0.5 | l2 | undecided, 0.5 [0.3, 0.7] | holds, 0.9 [0.8, 0.95] |',
    ]


def test_subsets_as_columns(checkout: Path) -> None:
    lines = generated(checkout, "claims: isotropy columns=subsets networks=a")
    assert lines[0] == "| statement, and what decides it | l2 | linf |"
    assert lines[2].endswith("| holds, 0.9 [0.8, 0.95] | does not hold, 0.1 [0.05, 0.2] |")
    assert len(lines) == 4
    lines = generated(checkout, "claims: isotropy columns=subsets")
    assert lines[0] == "| statement, and what decides it | network | l2 | linf |"
    assert len(lines) == 6


def test_the_whole_board_in_signs(checkout: Path) -> None:
    for number in range(8):
        place = checkout / "experiments/aghdam2017/results/topology" / f"net{number}"
        finished_run(place, claimed_nodes("topology", f"net{number}"), [claim_of("holds")], scope="most")
    lines = generated(checkout, "board")
    assert lines[0].split(" | ")[:5] == ["| experiment", "statement", "subsets", "a", "b"]
    assert [line.split("|")[1:6] for line in lines[2:4]] == [
        [" isotropy ", " small ", " l2; linf ", " + - ", " ? + "], [" ", " large ", " l2; linf ", " - + ", " + ? "],
    ]  # fmt: skip
    assert lines[4].startswith("| topology | small | | | | + |")
    assert lines[4].endswith("| most: + |")
    assert "+ holds, - does not hold" in (checkout / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("claims: topology", "no published result of topology"), ("claims: isotropy networks=a,c", "is called c"),
        ("claims: isotropy claims=none", "no published claim"), ("claims: isotropy color=red", "takes claims"),
        ("claims: isotropy columns=rows", "columns are networks or subsets"), ('claims: isotropy names="a;b;c"', "3 headings"),
        ('claims: isotropy subset="l2', "is not closed"),
    ],
)  # fmt: skip
def test_a_marker_that_is_wrong(marker: str, words: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text(f"<!-- {marker} -->\n<!-- end -->\n", encoding="utf-8")
    assert main(["readme"], checkout) == 2
    assert words in capsys.readouterr().err


def test_a_marker_without_end(checkout: Path) -> None:
    (checkout / "README.md").write_text("<!-- board -->\n<!-- claims: isotropy -->\n<!-- end -->\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="<!-- board --> has no <!-- end -->"):
        outdated(checkout)
    assert BEGIN.search("`<!-- claims: isotropy -->` in a sentence") is None


def test_check_writes_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "README.md"
    path.write_text("<!-- board -->\n<!-- end -->\n", encoding="utf-8")
    assert main(["readme", "--check"], checkout) == 1
    assert path.read_text(encoding="utf-8") == "<!-- board -->\n<!-- end -->\n"
    assert main(["readme"], checkout) == 0
    assert main(["readme", "--check"], checkout) == 0
    assert "README.md: not current: make readme" in capsys.readouterr().out
