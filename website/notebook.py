"""A notebook run from its first cell to its last, and shown as Markdown with what its cells put out.

The committed notebook holds no outputs: they would change with every version, and could say what is no longer so. The site is built
from a run of its own, and a test runs it as well.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

STYLE = re.compile(r"<style.*?</style>\n?", re.DOTALL)  # of pandas, where the site has its own
TERMINAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def executed(path: Path, folder: Path, timeout: int = 600) -> Any:
    """The notebook after a run in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(folder)}}
    quiet = ["--IPKernelApp.log_level=40"]  # a kernel of the tutorial listens on this machine alone
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources=resources, extra_arguments=quiet
    )
    # the networks of a notebook are small: with threads of their own that compete for cores they are several times as slow
    client.execute(env={**os.environ, "OMP_NUM_THREADS": "1"})
    return notebook


def markdown_of(notebook: Any, name: str) -> tuple[str, dict[str, bytes]]:
    """A page, and its pictures by file name.

    Args:
        notebook: executed.
        name: what the pictures' names begin with.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.get("outputs", []):
            shown = output_markdown(output, f"{name}-{len(pictures)}.png", pictures)
            if shown:
                parts.append(shown)
    return "\n\n".join(parts) + "\n", pictures


def output_markdown(output: Mapping[str, Any], picture: str, pictures: dict[str, bytes]) -> str:
    """What a cell put out; a picture is added to the others. Standard error, which is progress, is left out."""
    if output["output_type"] == "stream":
        text = TERMINAL.sub("", output["text"]).strip()
        return f"```text\n{text}\n```" if text and output["name"] == "stdout" else ""
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="output" markdown="0">\n{STYLE.sub("", joined(data["text/html"]))}\n</div>'
    if "image/png" in data:
        pictures[picture] = base64.b64decode(data["image/png"])
        return f"![what the cell draws]({picture})"
    text = joined(data.get("text/plain", ""))
    return f"```text\n{text}\n```" if text else ""


def joined(text: str | list[str]) -> str:
    """The text of an output, without empty lines, which would end a block of HTML."""
    whole = "".join(text) if isinstance(text, list) else text
    return "\n".join(line for line in whole.splitlines() if line.strip())


def stripped(path: Path) -> str:
    """The file as it is committed: without outputs and counts."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
