"""What MkDocs calls while it builds the site: adds the pages that are made, and leads links to where their targets stand.

mkdocs.yml names this file. `make docs` builds from the root of the checkout, from where `website` is imported.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from website.architecture import architecture_page
from website.examples import examples_page
from website.findings import findings_pages
from website.gallery import gallery_page, pictures
from website.notebook import executed, markdown_of
from website.places import MOVED, papers, place_of, rewritten

ROOT = Path(__file__).resolve().parents[1]
#: the tutorial's page and pictures, run once for each text of the notebook: `make docs-serve` builds again and again
TUTORIAL: dict[str, tuple[str, dict[str, bytes]]] = {}


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made: those of the papers, the gallery, the tutorial, what does not hold, the examples."""

    def add(place: str, content: str | bytes) -> None:
        if (there := files.get_file_from_path(place)) is not None:
            files.remove(there)
        files.append(File.generated(config, place, content=content))

    def copy(file: str) -> None:
        add(place_of(file), (ROOT / file).read_bytes())

    for file in (*MOVED, *(f"experiments/{paper}/README.md" for paper in papers(ROOT))):
        add(place_of(file), rewritten((ROOT / file).read_text(encoding="utf-8"), file, ROOT, copy))
    for path in sorted((ROOT / "docs").rglob("*.md")):
        file = path.relative_to(ROOT).as_posix()
        add(place_of(file), rewritten(architecture_page(path.read_text(encoding="utf-8"), ROOT), file, ROOT, copy))
    add("gallery.md", gallery_page(pictures(ROOT)))
    add("how-to/examples.md", examples_page(ROOT))
    for name, text in findings_pages(ROOT).items():
        add(f"what-does-not-hold/{name}", text)
    page, drawn = tutorial()
    add("tutorial.md", rewritten(page, "docs/tutorial.ipynb", ROOT, copy))
    for name, content in drawn.items():
        add(name, content)
    return files


def tutorial() -> tuple[str, dict[str, bytes]]:
    """The tutorial's page and pictures, from a run in a folder of its own."""
    path = ROOT / "docs" / "tutorial.ipynb"
    text = path.read_text(encoding="utf-8")
    if text not in TUTORIAL:
        with tempfile.TemporaryDirectory() as folder:
            TUTORIAL[text] = markdown_of(executed(path, Path(folder)), "tutorial")
    return TUTORIAL[text]
