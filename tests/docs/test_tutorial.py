"""The tutorial runs from its first cell to its last on the CPU, and is committed without outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.import_graph import ROOT

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from website.notebook import executed, markdown_of, stripped

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"


def test_it_holds_no_outputs() -> None:
    assert NOTEBOOK.read_text(encoding="utf-8") == stripped(NOTEBOOK)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        return executed(NOTEBOOK, tmp_path_factory.mktemp("tutorial"))


def outputs(notebook: Any, words: str) -> str:
    """What the cell that holds some words put out."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and words in cell.source]
    return json.dumps(cell.outputs)


def test_a_run_shows_its_figure_and_verdicts(notebook: Any) -> None:
    shown = outputs(notebook, 'advlab.run("isotropy", model=network')
    assert "data:image/png" in shown
    assert "holds" in shown
    assert "undecided" in outputs(notebook, "run.claims[") or "holds" in outputs(notebook, "run.claims[")


def test_the_attack_is_judged(notebook: Any) -> None:
    assert "are fooled" in outputs(notebook, "DeepFool()(network")
    assert "claimed > 0.5, n = " in outputs(notebook, "share_interval(fooled")
    assert "success_rate" in outputs(notebook, "survey.summary")


def test_networks_are_compared_and_runs_read_back(notebook: Any) -> None:
    assert "trainedwithnoise on arrays" in outputs(notebook, "advlab.compare(")
    assert "outputs/isotropy/arrays-convolutional/v001" in outputs(notebook, "advlab.load(")
    assert "median range(10)" in outputs(notebook, "advlab.claims(")


def test_the_page_has_every_cell_and_its_output(notebook: Any) -> None:
    page, pictures = markdown_of(notebook, "tutorial")
    for cell in notebook.cells:
        assert cell.source in page
    assert page.count('<div class="output"') >= 5
    assert "accuracy 0.9" in page
    assert "<style" not in page
    assert all(Path(name).suffix == ".png" for name in pictures)
