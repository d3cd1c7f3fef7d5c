"""Images from files: a digest of their content, and whether they are kept in memory or decoded when they are needed."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advlab.data.content import Files
from advlab.data.decode import decode_all, decoder
from advlab.data.folders import printable
from advlab.data.images import FilePixels, ImageData
from advlab.data.remarks import Remarks
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from advlab.store.sealed import canonical, sha256, sha256_file

LOOKED_AT = 256  # images that are looked at when they are loaded, where they are not kept


def content_digest(root: Path, paths: Sequence[Path], labels: Sequence[int], artifacts: ArtifactStore) -> str:
    """SHA-256 over names, labels and bytes of files; remembered for as long as their sizes and times stay.

    Raises:
        DataError: a file is gone, a broken link or not readable (named).
    """
    names = [printable(os.path.relpath(path, root)) for path in paths]

    def compute() -> tuple[dict[str, Any], dict[str, Any]]:
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(sha256_file, paths))
        return {}, {"digest": sha256(canonical([names, list(labels), digests]))}

    try:
        stats = [[stat.st_size, stat.st_mtime_ns] for stat in map(os.stat, paths)]
        listing = sha256(canonical([printable(str(root.resolve())), names, list(labels), stats]))
        return str(artifacts.get("content-digest", {"listing": listing}, compute).facts["digest"])
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}): replace or remove it") from error


def data_from_files(name: str, split: str, files: Files, artifacts: ArtifactStore, in_memory: float) -> ImageData:
    """`ImageData` over files: decoded once when they fit into so much memory, else whenever they are asked for.

    Args:
        name: of the dataset.
        split: of the dataset.
        files: what is read.
        artifacts: remembers the digest of the files' content.
        in_memory: GiB of decoded pixels up to which images are decoded once and kept.

    Raises:
        DataError: a file is corrupt (named).
    """
    remarks = Remarks()
    decode_one = decoder(files.shape, *files.preprocessing, remarks)
    content = content_digest(files.root, files.paths, files.labels, artifacts)
    digest = sha256(canonical([content, list(files.shape), list(files.preprocessing)]))
    # what is unusual about the files is told now: those who decode them later need not look
    pixels: Any = FilePixels(files.paths, decoder(files.shape, *files.preprocessing), files.shape)
    if len(files.paths) * math.prod(files.shape) <= in_memory * 2**30:
        pixels = decode_all(files.paths, decode_one)
    else:  # an image here and there tells what the files are like
        look_at(files.paths[:: math.ceil(len(files.paths) / LOOKED_AT)], decode_one)
    said = (*files.remarks, *remarks.all())
    labels = torch.tensor(files.labels, dtype=torch.int64)
    return ImageData(name, split, tuple(files.classes), labels, files.shape, digest, pixels, said)


def look_at(paths: Sequence[Path], decode_one: Callable[[Path], Tensor]) -> None:
    """Decode some files for what is remarked of them; corrupt ones are told when they are needed."""

    def decode(path: Path) -> None:
        with contextlib.suppress(DataError):
            decode_one(path)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        list(pool.map(decode, paths))
