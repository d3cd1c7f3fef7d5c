"""Running out of memory, provoked: the halving must be seen, and nothing that is measured may change."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from advlab import testing
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward, set_precision
from benchmarks.gpu.against_cpu import SPHERE, compare
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.trained import trained_lenet
from benchmarks.report import Ratio, Report

ALLOWED = 1 << 30  # bytes that the process may take while memory is short
FITS = 64  # images, where memory cannot be limited


class Hungry(nn.Module):
    """A network that runs out of memory above a number of images, for devices whose memory cannot be limited."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > FITS:
            raise torch.OutOfMemoryError("CUDA out of memory (provoked)")
        logits: Tensor = self.network(x)
        return logits


def run(report: Report, setting: Setting) -> None:
    """One forward of far too many images, and isotropy in batches that do not fit."""
    set_precision("float32")
    classifier, x, y = trained_lenet()
    limited = setting.device.type == "cuda" and not setting.pretend
    # LeNet's first layer gives 46 kB an image: the batch needs more than twice what is allowed
    count, calm = (51200, 1024) if limited else (3 * FITS, FITS)
    network = copy.deepcopy(classifier)
    if not limited:
        network = Classifier(Hungry(network.network), name="hungry", shape=(1, 28, 28), mean=None, std=None).eval()
    network.to(setting.device)
    forward, small = (Forward(network, Execution(size, "contiguous", "float32")) for size in (count, calm))
    images = x.repeat(-(-count // len(x)), 1, 1, 1)[:count].to(setting.device)
    with torch.inference_mode(), short_of_memory(setting.device, limited):
        wanted = small(images)
        far = float((forward(images) - wanted).abs().max() / wanted.abs().max())
    report.facts["halved after batches of"] = ", ".join(map(str, forward.halvings)) or "nothing"
    halvings = len(forward.halvings)
    report.ratios += [
        Ratio("forward of too many images", "halvings", halvings, 0.0, "at least 1", halvings >= 1),
        Ratio(
            "forward of too many images",
            "largest difference over the largest logit",
            far,
            0.0,
            "at most 1e-4",
            far <= 1e-4,
        ),
    ]
    tables = []
    samples, trials = setting.sized(4, 2), setting.sized(25600, 2 * FITS)
    # without the distances, which would be too many
    options = {**SPHERE, "probe.trials": trials, "probe.radii": [1.0], "probe.floor_samples": 0, "probe.keep": False}
    for size in (calm, count):
        tried = Forward(network, Execution(size, "contiguous", "float32"))
        ctx = testing.context("isotropy", tried, x[:samples], y[:samples], options, samples=range(samples))
        with short_of_memory(setting.device, limited):
            tables.append(testing.measured(ctx))
    seen = len(tried.halvings)
    report.ratios.append(Ratio("isotropy short of memory", "halvings", seen, 0.0, "at least 1", seen >= 1))
    compare(report, "isotropy", "isotropy short of memory", *tables)


@contextlib.contextmanager
def short_of_memory(device: torch.device, limited: bool) -> Iterator[None]:
    """The process may take `ALLOWED` bytes of the device's memory, where `limited`."""
    if not limited:
        yield
        return
    torch.cuda.empty_cache()
    taken = torch.cuda.memory_reserved(device)
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((taken + ALLOWED) / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
