"""The gallery: each figure of docs/ with the command that makes it, from the one table docs/gallery.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

INTRODUCTION = """# Gallery

All figures that this documentation shows, with the command under each. `advlab plot RUN` draws a finished run again, and
`--figure column` makes it as wide as one column of a paper. A preset (`run.preset=laptop`) in a command is how the figure was
made; without it the run has the paper's number of samples.
"""


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        file: its name in docs/.
        paper: folder of experiments/.
        shows: what of the paper, such as `figure 1`.
        caption: one sentence.
        commands: what makes it; of several, one after the other.
    """

    file: str
    paper: str
    shows: str
    caption: str
    commands: list[str]


def pictures(root: Path) -> list[Picture]:
    """The table docs/gallery.yaml, in its order."""
    text = (root / "docs" / "gallery.yaml").read_text(encoding="utf-8")
    return [Picture(**entry) for entry in yaml.safe_load(text)]


def gallery_page(drawn: Sequence[Picture]) -> str:
    """A heading for each paper, and below it its figures."""
    parts = [INTRODUCTION]
    for paper in dict.fromkeys(picture.paper for picture in drawn):
        parts.append(f"## [{paper}](papers/{paper}.md)\n")
        for picture in drawn:
            if picture.paper == paper:
                commands = "\n".join(picture.commands)
                title = picture.shows[:1].upper() + picture.shows[1:]
                parts.append(
                    f"### {title}\n\n{picture.caption}\n\n![{picture.caption}]({picture.file})\n\n```sh\n{commands}\n```\n"
                )
    return "\n".join(parts)
