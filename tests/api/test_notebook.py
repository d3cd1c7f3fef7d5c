"""A run in a notebook: progress without widgets, and the run as it shows itself."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = """
import torch, advlab
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
images, labels = torch.rand(30, 1, 8, 8), torch.arange(30) % 3
probe = {"confidence": 0.2, "samples": 3, "trials": 8, "radii": [0.1, 1.0]}
advlab.run("isotropy", model=network, dataset=(images, labels), preset="tiny", device="cpu", probe=probe)
"""


def test_a_notebook_shows_progress_and_the_run(tmp_path: Path) -> None:
    """In a kernel of its own, which has no widgets."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    blocked = "import sys; sys.modules['ipywidgets'] = None"
    cells = [nbformat.v4.new_code_cell(text) for text in (blocked, NOTEBOOK)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    *bars, shown = [output for output in notebook.cells[1].outputs if output.output_type != "stream"]
    texts = [bar["data"]["text/plain"] for bar in bars]
    assert "isotropy: 1 of 1" in texts
    assert "<progress" in bars[0]["data"]["text/html"]
    assert "<b>sequential on arrays</b>" in shown["data"]["text/html"]
    assert "<advlab.Run outputs/isotropy/" in shown["data"]["text/plain"]
    said = "".join(output.text for output in notebook.cells[1].outputs if output.output_type == "stream")
    assert "writing to outputs/isotropy" in said
    assert "Warning" not in said
