"""Where a file of the checkout stands in the site, and the links of a page rewritten so that they lead there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

#: pages that are made of files outside docs/, which stay where GitHub shows them
MOVED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
#: folders and files that a page shows as a whole
SHOWN = {
    "examples": "how-to/examples.md", "experiments": "papers/index.md", "docs": "index.md", "docs/tutorial.ipynb": "tutorial.md",
    "docs/gallery.yaml": "gallery.md",
}  # fmt: skip
#: files of the checkout that no page shows are copied into this folder of the site when a page links to them
COPIED = "checkout"

FENCE = re.compile(r"^```.*?^```|(?:^ {4,}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s#]*)(#[^)\s]*)?(\))")


def papers(root: Path) -> list[str]:
    """The folders of experiments/ that have a README."""
    return sorted(path.parent.name for path in root.glob("experiments/*/README.md"))


def place_of(file: str) -> str:
    """The path in the site's sources of a file of the checkout.

    >>> place_of("experiments/aghdam2017/README.md"), place_of("docs/speed.md"), place_of("examples/attack.py")
    ('papers/aghdam2017.md', 'speed.md', 'how-to/examples.md')
    >>> place_of("LICENSE")
    'checkout/LICENSE'
    """
    if file in MOVED:
        return MOVED[file]
    if file in SHOWN:
        return SHOWN[file]
    parts = file.split("/")
    if parts[0] == "experiments" and parts[-1] == "README.md":
        return f"papers/{parts[1]}.md"
    if parts[0] == "examples":
        return SHOWN["examples"]
    return "/".join(parts[1:]) if parts[0] == "docs" else f"{COPIED}/{file}"


def rewritten(text: str, file: str, root: Path, copy: Callable[[str], None] = lambda file: None) -> str:
    """A page with its relative links leading to where their targets stand in the site.

    Links in blocks of code are left alone, and so are those to files that are not there: the strict build names them.

    Args:
        text: Markdown.
        file: of the checkout, of which the page is made.
        root: of the checkout.
        copy: called with each file of the checkout that is linked and has no page.
    """
    own = posixpath.dirname(place_of(file))

    def led(found: re.Match[str]) -> str:
        target, anchor = found[2], found[3] or ""
        linked = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        if not target or "://" in target or target.startswith("mailto:") or not (root / linked).exists():
            return found[0]
        place = place_of(linked)
        if place.startswith(f"{COPIED}/"):
            copy(linked)
        if linked.startswith("examples/") and not anchor:
            anchor = "#" + posixpath.basename(linked).replace(".", "")
        return f"{found[1]}{posixpath.relpath(place, own or '.')}{anchor}{found[4]}"

    parts, place = [], 0
    for code in FENCE.finditer(text):
        parts += [LINK.sub(led, text[place : code.start()]), code[0]]
        place = code.end()
    return "".join([*parts, LINK.sub(led, text[place:])])
