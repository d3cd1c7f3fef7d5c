"""The pages of what does not hold say what the published results say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run
from tests.helpers.import_graph import ROOT
from website.findings import findings_pages


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return findings_pages(ROOT)


def test_a_page_for_each_paper_with_results(pages: dict[str, str]) -> None:
    with_results = {path.parent.name for path in ROOT.glob("experiments/*/results")}
    assert set(pages) == {"index.md", *(f"{paper}.md" for paper in with_results)}
    assert all(f"[{paper}]({paper}.md)" in pages["index.md"] for paper in with_results)


def test_every_experiment_with_a_statement_that_fails_is_named(pages: dict[str, str]) -> None:
    """Of experiments with one result: where a network was measured several times, runs are taken together."""
    tried = 0
    for folder in ROOT.glob("experiments/*/results/*"):
        results = list(folder.glob("*/claims.csv"))
        if len(results) == 1:
            claims = pd.read_csv(results[0])
            fails = bool((claims["verdict"] == "does not hold").any())
            heading = f"## {folder.name} (".replace("_", "\\_")
            assert (heading in pages[f"{folder.parents[1].name}.md"]) == fails, folder
            tried += 1
    assert tried > 5


def test_a_made_up_result(tmp_path: Path) -> None:
    place = tmp_path / "experiments/aghdam2017/results/isotropy"
    said = {"claim": "small", "statement": 'section 1: "it is small"'}
    for network, verdict in (("a", "does not hold"), ("b", "holds"), ("c", "undecided")):
        finished_run(place / network, claimed_nodes(model=network), [claim_of(verdict, **said)])  # type: ignore[arg-type]
    pages = findings_pages(tmp_path)
    assert "| [aghdam2017](aghdam2017.md) | 1 | 1 | 1 | 0 |" in pages["index.md"]
    (row,) = [line for line in pages["aghdam2017.md"].splitlines() if "it is small" in line]
    words = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert words[0] == 'section 1: "it is small"'
    assert words[2].startswith("a: 0.1 ")
    assert words[3] == "holds on 1, undecided on 1"


def test_what_holds_everywhere_is_not_listed(tmp_path: Path) -> None:
    place = tmp_path / "experiments/aghdam2017/results/isotropy"
    finished_run(place / "a", claimed_nodes(model="a"), [claim_of("holds")])
    assert "|" not in findings_pages(tmp_path)["aghdam2017.md"]
