"""Training from files that are decoded ahead against its floors: decoding alone, and the same from memory."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from advlab.data.ahead import IMAGES_AT_ONCE
from advlab.data.content import Shape
from advlab.data.decode import decode_all, decoder, decoding_threads
from advlab.data.folders import EXTENSIONS
from advlab.data.images import FilePixels
from advlab.engine.device import choose_device
from advlab.models.forward import set_precision
from advlab.models.networks.cifar import CifarVGG
from advlab.training.loop import train
from advlab.training.recipe import Recipe
from benchmarks.report import Ratio, Report, in_turn, ratio, synchronise

AIM = 0.9


class Waiting(nn.Module):
    """A linear network whose steps take a given time and no processor, as on an accelerator."""

    def __init__(self, seconds_per_image: float) -> None:
        super().__init__()
        self.linear, self.seconds_per_image = nn.Linear(3, 10), seconds_per_image

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds_per_image * len(x))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def run(report: Report, *, repeats: int, images: int) -> None:
    """Networks on JPEG files, in an epoch each; 0: 7 repeats, 1000 images (of the folder IMAGES_DIR, if that is named)."""
    set_precision("float32")
    repeats, device, shape = repeats or 7, choose_device("auto"), (3, 32, 32)
    with files_of(images or 1000, shape) as files:
        seconds = min(in_turn({"decoding": lambda: decoding(files)}, 3)["decoding"]) / len(files)
        for name, factor in {"twice as fast as": 0.5, "as fast as": 1.0, "half as fast as": 2.0}.items():
            title = f"on a device that waits, {name} decoding,"
            workload(report, title, Waiting(factor * seconds), files, torch.device("cpu"), repeats, shared=False)
        network = CifarVGG(input_shape=shape, classes=10)
        workload(report, f"cifar_vgg on {device}", network, files, device, repeats, shared=device.type == "cpu")


@contextmanager
def files_of(count: int, shape: Shape) -> Iterator[FilePixels]:
    """The first images below the folder IMAGES_DIR; where none is named, JPEGs of 320 x 400 pixels that are made meanwhile."""
    draws = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        if folder := os.environ.get("IMAGES_DIR"):
            paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in EXTENSIONS)[:count]
        else:
            paths = [Path(made) / f"{number}.jpg" for number in range(count)]
            for path in paths:
                noise = draws.integers(0, 256, (40, 50, 3), dtype=np.uint8)
                Image.fromarray(noise).resize((400, 320)).save(path, quality=90)
        yield FilePixels(paths, decoder(shape, 0.875, "crop", "bilinear"), shape)


def decoding(files: FilePixels) -> None:
    """Decode all files with as many threads as training has, as many in a task, and nothing else."""

    def decode(paths: Sequence[Path]) -> None:
        for path in paths:
            files.decode(path)

    tasks = [files.paths[start : start + IMAGES_AT_ONCE] for start in range(0, len(files), IMAGES_AT_ONCE)]
    with ThreadPoolExecutor(decoding_threads()) as pool:
        for _ in pool.map(decode, tasks):
            pass


def workload(
    report: Report,
    name: str,
    network: nn.Module,
    files: FilePixels,
    device: torch.device,
    repeats: int,
    *,
    shared: bool,
    precision: Literal["float32", "bf16"] = "float32",
    batch: int = 32,
) -> None:
    """One network: training from files, training from memory and decoding alone, in turn.

    Args:
        report: takes the ratios.
        name: of the workload.
        network: that is trained.
        files: that are trained on.
        device: where it is trained.
        repeats: of each side.
        shared: whether the network computes on the cores that decode, so that the floor is the sum of both.
        precision: of the training.
        batch: images of a step.
    """
    kept = decode_all(files.paths, files.decode).to(device)
    labels = torch.randint(0, 10, (len(files),))
    recipe = Recipe(name="bench", epochs=1, batch_size=batch, lr=1e-3, augment=["crop:4", "flip"], precision=precision)
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.3)
    processor: dict[str, list[float]] = {"streamed": [], "memory": [], "decoding": []}

    def timed(side: str, call: Callable[[], object]) -> None:
        start = time.process_time()
        call()
        synchronise(device)
        processor[side].append(time.process_time() - start)

    def training(images: Tensor | FilePixels) -> None:
        train(network, images, labels, recipe, mean=mean, std=std, device=device, seed=0)

    seconds = in_turn(
        {
            "streamed": lambda: timed("streamed", lambda: training(files)),
            "memory": lambda: timed("memory", lambda: training(kept)),
            "decoding": lambda: timed("decoding", lambda: decoding(files)),
        },
        repeats,
    )
    processor = {side: values[1:] for side, values in processor.items()}  # without those of the warm-up
    title = f"training {name} from {len(files)} JPEG files, {decoding_threads()} threads"
    seconds["floor"] = [
        (sum if shared else max)(pair) for pair in zip(seconds["memory"], seconds["decoding"], strict=True)
    ]
    processor["floor"] = [sum(pair) for pair in zip(processor["memory"], processor["decoding"], strict=True)]
    floor = "one after the other" if shared else "whichever is slower"
    for quantity, sides in (
        (f"time of training from memory and of decoding, {floor}, over its own", seconds),
        ("processor time of both over its own", processor),
    ):
        value, spread = ratio(sides, "floor", "streamed")
        report.ratios.append(Ratio(title, quantity, value, spread, f"at least {AIM}", value >= AIM))
    report.facts[title] = ", ".join(
        f"{side} {len(files) / statistics.median(values):,.0f} images/s, {statistics.median(processor[side]):.2f} s of processor"
        for side, values in seconds.items()
    )
