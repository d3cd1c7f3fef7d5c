"""Pictures of a run inside the page: PNG files, read within bounds and checked against the manifest."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advlab.errors import ResultError
from advlab.shell import shell_path
from advlab.store.bounded import read_bounded
from advlab.store.names import is_plain_name
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import sha256

LARGEST_PICTURE = 1 << 23  # bytes; figures have some hundred thousand
MOST_PIXELS = 1 << 26  # that a browser would have to decode
MOST_FIGURES, MOST_KEPT = 8, 60  # of one run
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A PNG file.

    Attributes:
        name: of the file, without its suffix.
        uri: the content, as a `data:` address.
        width, height: in pixels.
    """

    name: str
    uri: str
    width: int
    height: int


def figures_of(run: RunDirectory, digests: Mapping[str, str], remarks: list[str]) -> list[Picture]:
    """The figures that a run has drawn; what is missing or damaged is said in `remarks`.

    Args:
        run: its directory.
        digests: of its files, as its manifest has them.
        remarks: are added to.
    """
    named = {name.removeprefix("figures/") for name in digests if name.startswith("figures/") and name.endswith(".png")}
    try:
        named |= {path.name for path in run.inside("figures").glob("[!.]*.png")}
    except (OSError, ResultError) as error:
        remarks.append(str(error))
    pictures = [picture_of(run, ("figures", name), digests, remarks) for name in sorted(named)[:MOST_FIGURES]]
    if len(named) > MOST_FIGURES:
        remarks.append(f"{run.path} has {len(named)} figures, of which {MOST_FIGURES} are shown")
    if any(picture is None for picture in pictures):
        remarks.append(f"`advlab plot {shell_path(run.path)}` draws the figure of {run.path} again")
    return [picture for picture in pictures if picture is not None]


def kept_pictures(run: RunDirectory, digests: Mapping[str, str], remarks: list[str]) -> list[Picture]:
    """The PNG files that the cells of a run have kept, such as adversarial images; of many the first."""
    paths = [path for path in run.kept_files() if path.suffix == ".png"]
    if len(paths) > MOST_KEPT:
        remarks.append(f"{run.files_path} has {len(paths)} pictures, of which the first {MOST_KEPT} are shown")
    pictures = (picture_of(run, ("files", path.name), digests, remarks) for path in paths[:MOST_KEPT])
    return [picture for picture in pictures if picture is not None]


def picture_of(
    run: RunDirectory, names: tuple[str, str], digests: Mapping[str, str], remarks: list[str]
) -> Picture | None:
    """One PNG file of a run; None where it is missing or damaged, which is said in `remarks`."""
    if not is_plain_name(names[1]):
        remarks.append(f"{run.path} names a figure {names[1][:80]!r}, which is left out")
        return None
    try:
        content = read_bounded(run.inside(*names), LARGEST_PICTURE)
        width, height = size_of(content)
    except (OSError, ValueError, ResultError) as error:
        reason = getattr(error, "strerror", None) or error
        remarks.append(f"{run.path}/{'/'.join(names)} is left out: {reason}")
        return None
    digest = digests.get("/".join(names))
    if digest is not None and digest != sha256(content):
        remarks.append(f"{run.path}/{'/'.join(names)} is left out: it does not match its manifest")
        return None
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return Picture(Path(names[1]).stem, uri, width, height)


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG file, from its head.

    Raises:
        ValueError: it is none, or has more pixels than a page should hold.
    """
    if not content.startswith(SIGNATURE) or content[12:16] != b"IHDR" or len(content) < 24:
        raise ValueError("it is no PNG file")
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(f"it has {width} x {height} pixels, at most {MOST_PIXELS:,} are shown")
    return width, height
