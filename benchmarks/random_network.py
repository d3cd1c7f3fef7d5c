"""An experiment on spheres on a network with random weights and random images, and the bare forwards that are its floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from advlab import testing
from advlab.config.settings import resolve
from advlab.data.images import ImageData
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier
from advlab.models.fastest_batch import tune
from advlab.models.forward import Forward
from advlab.plugins.loading import load_plugins
from advlab.store.artifacts import ArtifactStore
from benchmarks.report import synchronise

OPTIONS: dict[str, dict[str, Any]] = {
    "isotropy": {},
    "topology": {"test": "normal", "linearisation": False},
    "lipschitz": {"iterations": 1, "elementwise": False, "starts": 0},
}


def forward_only(forward: Forward, count: int) -> Callable[[], None]:
    """The floor: `count` bare forwards of one batch that lies there, as large and in the precision and format of ours."""
    execution, device = forward.execution, forward.classifier.device
    batch = torch.rand((execution.batch_size, *forward.classifier.shape), device=device)
    batch = batch.contiguous(memory_format=execution.torch_format)

    def floor() -> None:
        for _ in range(count // execution.batch_size):
            forward.classifier_logits(batch)
        if count % execution.batch_size:
            forward.classifier_logits(batch[: count % execution.batch_size])
        synchronise(device)

    return floor


def context(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    images: int,
    device: torch.device,
    cache: Path,
    experiment: str = "isotropy",
    *,
    precision: str = "float32",
    batch_size: int = 0,
    radii: Sequence[float] = (),
) -> NetworkContext:
    """A context over random images and a randomly initialised network: the speed does not depend on either.

    Args:
        name: of the model.
        shape: (C, H, W).
        classes: number of logits.
        images: samples, all of which qualify.
        device: where it runs.
        cache: folder of artifacts.
        experiment: its name.
        precision: float32, tf32 or bf16.
        batch_size: 0: the fastest.
        radii: none: the paper's.
    """
    load_plugins()  # torchvision's networks become choices
    settings = resolve(
        {
            "dataset": {"name": "mnist"}, "model": {"name": name}, "recipe": {"name": "none"}, "attack": {"name": "none"},
            "probe": {"name": "sphere", "samples": images, "norm": ["l2"], "pixel_scale": [1.0], "floor_samples": 0,
                "keep": experiment != "isotropy", **({"radii": list(radii)} if radii else {}),
            },
            "experiment": {"name": experiment, **OPTIONS[experiment]}, "run": {"precision": precision},
        }
    )  # fmt: skip
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (images, *shape), dtype=torch.uint8)
    labels = torch.zeros(images, dtype=torch.int64)
    names = tuple(map(str, range(classes)))
    data = ImageData(name, "test", names, labels, shape, "random", pixels).to(device)
    mean, std = torch.full((shape[0], 1, 1), 0.4), torch.full((shape[0], 1, 1), 0.25)
    network = settings.model.network()
    classifier = Classifier(network, name=name, shape=shape, mean=mean, std=std).to(device).eval()
    forward = Forward(classifier, tune(classifier, device, precision, ArtifactStore(cache), batch_size))
    ctx: NetworkContext = testing.context(settings, forward, data, folder=cache, samples=range(images))
    ctx.prepared = {"samples": list(range(images)), "ranges": [1.0, 1.0], "bounds": [None]}
    return ctx
