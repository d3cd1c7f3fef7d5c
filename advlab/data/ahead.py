"""Images that are decoded from their files ahead of whoever takes them, batch by batch, in the order that is asked for."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import torch
from torch import Tensor

from advlab.data.decode import decoding_threads
from advlab.data.images import FilePixels

BATCHES_AHEAD = 4  # that are decoded, or being decoded, beside the one that is in use
BYTES_AHEAD = 256 << 20  # what they take at most, unless a single batch takes more
IMAGES_AT_ONCE = 8  # that a thread decodes in one task; it ends between two images


def decoded_ahead(
    pixels: FilePixels, batches: Iterable[Tensor], *, threads: int = 0, pinned: bool = False
) -> Generator[tuple[Tensor, Tensor]]:
    """Batches of images, decoded by threads while those before them are in use.

    Memory is bounded: beside the batch in use there are at most `BATCHES_AHEAD` batches and 256 MiB (always one batch), and one
    whole image for each thread. What comes depends neither on the number of threads nor on their speed. Close the generator
    (`contextlib.closing`) where it may be left before its end, by an exception too: its threads end then, each after the image
    that it decodes.

    Args:
        pixels: the files.
        batches: of each batch the indices (n,) of its images, on the CPU; read `BATCHES_AHEAD` batches ahead.
        threads: that decode; 0: as many as there are cores, at most 16.
        pinned: the images arrive in page-locked memory, from where they are copied to a CUDA device without waiting.

    Yields:
        the indices, and the (n, C, H, W) uint8 images.

    Raises:
        DataError: a file is corrupt (named); batches before its own have come by then.
    """
    ended = Event()
    waiting: deque[tuple[Tensor, Tensor, list[Future[None]]]] = deque()
    pool = ThreadPoolExecutor(threads or decoding_threads(), thread_name_prefix="decode")

    def decode_into(images: Tensor, indices: list[int]) -> None:
        for place, index in enumerate(indices):
            if ended.is_set():
                return
            # by numpy: torch would copy large images by threads of its own, in each of ours
            images.numpy()[place] = pixels.decode(pixels.paths[index]).numpy()

    def begin(indices: Tensor) -> None:
        images = torch.empty((len(indices), *pixels.image_shape), dtype=torch.uint8, pin_memory=pinned)
        parts = zip(images.split(IMAGES_AT_ONCE), indices.split(IMAGES_AT_ONCE), strict=True)
        waiting.append((indices, images, [pool.submit(decode_into, part, at.tolist()) for part, at in parts]))

    def next_batch() -> tuple[Tensor, Tensor]:
        indices, images, tasks = waiting.popleft()
        for task in tasks:
            task.result()
        return indices, images

    try:
        for indices in batches:
            begin(indices)
            if len(waiting) > batches_ahead(len(indices) * math.prod(pixels.image_shape)):
                yield next_batch()
        while waiting:
            yield next_batch()
    finally:
        ended.set()
        pool.shutdown(cancel_futures=True)


def batches_ahead(batch_bytes: int) -> int:
    """How many batches of so many bytes are decoded ahead."""
    return max(1, min(BATCHES_AHEAD, BYTES_AHEAD // max(1, batch_bytes)))
