"""The fastest memory format and batch size of a model on a device: a short measurement, remembered for later runs."""

from __future__ import annotations

import logging
import platform
import statistics
import time
from typing import Any

import torch

from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Execution, Forward, MemoryFormat, out_of_memory
from advlab.store.artifacts import Arrays, ArtifactStore

log = logging.getLogger(__name__)

BUDGET = 3.0  # seconds for each memory format
# Share of the best speed below which a larger batch is taken to be slower; above it the difference may be noise.
WORSE = 0.9
# Share of the best speed at which a batch counts as fast: the largest of these causes the fewest calls in a run.
CLOSE = 0.95
# From this size on, two slower sizes end the search: below it a GPU's libraries choose other algorithms from size to size, and
# two dips say nothing of large batches (VGG16 in float32 on an H100: the search ended with 10 images).
LEAST_LAST = 300
SIZES = (10, 25, 50, 100, 200, 300, 400, 800, 1600, 3200, 6400, 12800)  # that divide, or are multiples of, usual trials


def device_name(device: torch.device) -> str:
    """The device in words, by which measurements on it are remembered."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {platform.machine()} {platform.processor()} {torch.get_num_threads()} threads"


def tune(
    classifier: Classifier, device: torch.device, precision: str, artifacts: ArtifactStore, batch_size: int = 0
) -> Execution:
    """The fastest memory format of a classifier on a device, and the largest batch that is within 5 % of the fastest.

    Args:
        classifier: on `device`.
        device: where it runs.
        precision: of the run.
        artifacts: remembers the measurement for this architecture, device and version of torch.
        batch_size: used as it is when not 0, so that only the memory format is measured.
    """
    layout = [[name, list(tensor.shape)] for name, tensor in classifier.state_dict().items()]
    fields = {
        "version": 3, "layout": layout, "network": str(classifier.network), "shape": list(classifier.shape),
        "precision": precision, "device": device_name(device), "torch": torch.__version__, "batch_size": batch_size,
    }  # fmt: skip

    def make() -> tuple[Arrays, dict[str, Any]]:
        speeds = measure(classifier, device, precision, (batch_size,) if batch_size else SIZES)
        if not speeds:  # not even the smallest batch fits: `Forward` halves it during the run
            return {}, {"best": {"batch_size": batch_size or SIZES[0], "memory_format": "contiguous"}, "speeds": []}
        return {}, {"best": choose(speeds), "speeds": speeds}

    best = artifacts.get("execution", fields, make).facts["best"]
    return Execution(int(best["batch_size"]), best["memory_format"], precision)


def choose(speeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of entries as `measure` gives them: in the fastest format, the largest batch within 5 % of the fastest."""
    best = max(speeds, key=lambda entry: float(entry["images_per_second"]))
    close = [
        entry
        for entry in speeds
        if entry["memory_format"] == best["memory_format"]
        and entry["images_per_second"] >= CLOSE * best["images_per_second"]
    ]
    return max(close, key=lambda entry: int(entry["batch_size"]))


def measure(
    classifier: Classifier, device: torch.device, precision: str, sizes: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Images a second for each memory format and batch size; sizes grow until two large ones are slower or time is used up."""
    speeds = []
    formats: tuple[MemoryFormat, ...] = ("contiguous", "channels_last")
    for memory_format in formats:
        started, best, worse = time.perf_counter(), 0.0, 0
        for size in sizes:
            execution = Execution(size, memory_format, precision)
            try:
                speed = throughput(Forward(classifier, execution), device)
            except (RuntimeError, MemoryError) as error:
                # a network that calls `view`, or has parameters of five dimensions, takes contiguous tensors only
                if not out_of_memory(error) and memory_format == "contiguous":
                    raise
                if device.type == "cuda":
                    torch.cuda.empty_cache()  # what the batch that did not fit has taken
                break
            speeds.append({"memory_format": memory_format, "batch_size": size, "images_per_second": round(speed, 1)})
            best = max(best, speed)
            worse = worse + 1 if size >= LEAST_LAST and speed < WORSE * best else 0
            if worse == 2 or time.perf_counter() - started > BUDGET:
                break
    return speeds


def throughput(forward: Forward, device: torch.device, seconds: float = 0.1) -> float:
    """Images a second of forwards on one preallocated batch: the median of three measurements after a warm-up."""
    size = forward.execution.batch_size
    x = torch.rand((size, *forward.classifier.shape), device=device)
    x = x.contiguous(memory_format=forward.execution.torch_format)

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    def timed(calls: int) -> float:
        start = wait()
        for _ in range(calls):
            forward.classifier_logits(x)
        return wait() - start

    with frozen(forward.classifier), torch.inference_mode():
        first = timed(1)
        # so slow (seconds) that one forward pass is a good measurement; the first of a GPU loads and chooses its kernels
        if first > 1.0 and device.type == "cpu":
            return size / first
        once = timed(1)
        if once > 1.0:
            return size / once
        calls = max(1, round(seconds / 3 / max(once, 1e-6)))
        return size * calls / statistics.median(timed(calls) for _ in range(3))
