"""`python -m website.check site`: whether the links of a built site lead somewhere, and none of its pages asks anybody else.

Checked are the pages as a browser gets them: each link and picture within the site has its file, each `#anchor` its element, no
page loads a script, style, font or picture from elsewhere, and no Markdown is left as text. Whether other sites exist is not asked.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: attributes that a browser follows by itself
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("object", "data")}
#: `rel` of <link> that loads nothing
NOT_LOADED = {"canonical", "next", "prev", "alternate"}
STYLE = re.compile(r"(?:@import\s+|url\()\s*['\"]?((?:https?:)?//[^'\")\s]+)")
#: Markdown that was not understood, in the text of a page
LEFT = re.compile(r"\|\s?-{3,}|\]\([\w./#:-]+\)|^\s*```|<!-- |^\s*[-*] \*\*", re.MULTILINE)


@dataclass
class Looked(HTMLParser):
    """What a page has: links, identifiers, and text outside code."""

    links: list[tuple[str, bool]] = field(default_factory=list)  # target; whether it is loaded
    identifiers: set[str] = field(default_factory=set)
    text: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take links and identifiers."""
        values = {key: value or "" for key, value in attrs}
        self.identifiers |= {values[key] for key in ("id", "name") if values.get(key)}
        for key in ("href", "src", "data"):
            if key in values and (key != "data" or tag == "object"):
                loaded = (tag, key) in LOADED and values.get("rel") not in NOT_LOADED
                self.links.append((values[key], loaded))
        if tag in ("pre", "code", "script", "style", "svg"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave a block of code."""
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        """Take text that is no code."""
        if not self.inside:
            self.text.append(data)


def looked_at(path: Path) -> Looked:
    """A page, read."""
    page = Looked()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(site: Path) -> Iterator[str]:
    """A line for each fault of a site."""
    pages = {path.relative_to(site).as_posix(): looked_at(path) for path in sorted(site.rglob("*.html"))}
    for name, page in pages.items():
        for link, loaded in page.links:
            if fault := fault_of(link, name, pages, site, loaded=loaded):
                yield f"{name}: {fault}"
        for found in LEFT.finditer("\n".join(page.text)):
            yield f"{name}: {found[0].strip()!r} is left as text: {found.string[found.start() : found.start() + 70]!r}"
    for path in sorted(site.rglob("*.css")):
        for found in STYLE.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: asks {found[1]}"


def fault_of(link: str, page: str, pages: dict[str, Looked], site: Path, *, loaded: bool) -> str:
    """What is wrong with a link of a page; empty where nothing is."""
    parts = urlsplit(link)
    if parts.scheme in ("data", "mailto", "javascript"):
        return ""
    if parts.scheme or parts.netloc:
        return f"loads {link} from elsewhere" if loaded else ""
    target = page
    if parts.path:
        path = unquote(parts.path)
        if path.startswith("/"):
            return f"{link} begins at the root, where the site may not lie" if page != "404.html" else ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if path.endswith("/") or (site / target).is_dir():
            target = posixpath.normpath(posixpath.join(target, "index.html"))
    if not (site / target).is_file():
        return f"{link} leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].identifiers:
        return f"{link}: {target} has no #{parts.fragment}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the faults of a site; exit code 1 where there are some."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    found = list(faults(Path(folder)))
    for line in found:
        print(line)
    pages = sum(1 for _ in Path(folder).rglob("*.html"))
    print(f"{pages} pages looked at, {len(found)} faults")
    return int(bool(found) or not pages)


if __name__ == "__main__":
    sys.exit(main())
