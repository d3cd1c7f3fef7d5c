"""Images that are decoded ahead: their order, how far ahead, and that an end at any moment ends the threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from advlab.data.ahead import BATCHES_AHEAD, BYTES_AHEAD, batches_ahead, decoded_ahead
from advlab.data.images import FilePixels
from advlab.errors import DataError


def decode(path: Path) -> Tensor:
    """An image that tells which file it is."""
    return torch.full((1, 2, 3), int(path.name), dtype=torch.uint8)


def pixels_of(count: int, decode: object = decode) -> FilePixels:
    return FilePixels([Path(str(number)) for number in range(count)], decode, (1, 2, 3))  # type: ignore[arg-type]


def decoding() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_images_come_in_the_order_that_is_asked_for(threads: int) -> None:
    """The first file of all is decoded last, and the second batch while the first is not finished."""
    others = threading.Event()

    def unevenly(path: Path) -> Tensor:
        if threads > 1 and path.name == "40":
            others.wait()
        if path.name == "3":
            others.set()
        return decode(path)

    batches = [torch.tensor(batch) for batch in ([40, 41, 42, 40], list(range(30, 0, -1)), [7], [3, 3, 8, 9, 1, 0])]
    found = list(decoded_ahead(pixels_of(50, unevenly), batches, threads=threads))
    assert len(found) == len(batches)
    for wanted, (indices, images) in zip(batches, found, strict=True):
        assert torch.equal(indices, wanted)
        assert images.dtype == torch.uint8
        assert torch.equal(images, pixels_of(50)[wanted])
    assert not decoding()


def test_no_more_is_decoded_than_a_few_batches_ahead() -> None:
    read: list[int] = []

    def batches() -> Iterator[Tensor]:
        for number in range(20):
            read.append(number)
            yield torch.tensor([2 * number, 2 * number + 1])

    for number, _ in enumerate(decoded_ahead(pixels_of(40), batches())):
        assert len(read) == min(20, number + 1 + BATCHES_AHEAD)
    assert number == 19


@pytest.mark.parametrize(
    ("size", "batches"),
    [(1, BATCHES_AHEAD), (BYTES_AHEAD // BATCHES_AHEAD, BATCHES_AHEAD), (BYTES_AHEAD // 2, 2), (BYTES_AHEAD * 3, 1)],
)
def test_large_batches_are_fewer(size: int, batches: int) -> None:
    assert batches_ahead(size) == batches


def test_closed_threads_end_after_the_image_that_they_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, begun, release = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr("advlab.data.ahead.Event", lambda: ended)
    decoded: list[int] = []

    def blocked(path: Path) -> Tensor:
        decoded.append(int(path.name))
        if path.name == "5":
            begun.set()
            release.wait()
        return decode(path)

    images = decoded_ahead(pixels_of(400, blocked), torch.arange(400).split(4), threads=1)
    next(images)
    begun.wait()
    closing = threading.Thread(target=images.close)
    closing.start()
    ended.wait()
    release.set()
    closing.join()
    assert decoded == [0, 1, 2, 3, 4, 5]
    assert not decoding()


def test_of_a_corrupt_file_the_batches_before_come() -> None:
    def corrupt(path: Path) -> Tensor:
        if path.name in ("9", "10"):
            raise DataError(f"{path} is corrupt")
        return decode(path)

    images = decoded_ahead(pixels_of(40, corrupt), torch.arange(40).split(4), threads=3)
    assert [next(images)[0].tolist() for _ in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(DataError, match=r"^9 is corrupt"):
        next(images)
    assert not decoding()


def test_an_error_of_whoever_reads_ends_the_threads() -> None:
    def batches() -> Iterator[Tensor]:
        yield torch.arange(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(decoded_ahead(pixels_of(9), batches()))
    assert not decoding()


def test_of_no_batches_nothing_comes() -> None:
    assert list(decoded_ahead(pixels_of(3), [])) == []
