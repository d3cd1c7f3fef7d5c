"""How often the host waits for the device: what it does in between is hidden behind the device's work only where it does not."""

from __future__ import annotations

import pytest
import torch

from advlab.attacks import DeepFool
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.probes import sweep
from advlab.probes.draws import Draws
from advlab.probes.neighbourhood import PerturbedImages, sweep_neighbourhood, sweep_scores
from advlab.probes.sphere import Sphere
from tests.helpers.device_waits import counted_waits
from tests.helpers.networks import make_network
from tests.helpers.two_devices import is_pretended

SHAPE = (2, 5, 9)


def perturbed(device: torch.device, samples: int) -> PerturbedImages:
    """A sweep of two radii and eight trials; a batch is one (sample, radius)."""
    classifier = Classifier(make_network(SHAPE).float(), name="toy", shape=SHAPE, mean=None, std=None).to(device)
    execution = Execution(8, "contiguous", "float32")
    probe = Sphere(radii=[0.1, 1.0], trials=8, norm=["l2"], pixel_scale=[1.0])
    noise = Draws(seed=0, dataset="toy", size=90, device=device, portable=False)
    x = torch.rand((samples, *SHAPE), device=device)
    labels = torch.zeros(samples, dtype=torch.int64, device=device)
    return PerturbedImages(Forward(classifier, execution), x, labels, range(samples), probe, noise, execution)


@pytest.mark.parametrize(("layers", "a_batch"), [((), 0), (("auto",), 2)], ids=["scores", "distances"])
def test_a_sweep(layers: tuple[str, ...], a_batch: int, monkeypatch: pytest.MonkeyPatch, cuda: torch.device) -> None:
    """Scores: never within a batch. Distances: once for the images and once for each layer, whether a Gram product cancels."""
    monkeypatch.setattr(sweep, "NOISE_BYTES", 1)  # directions are drawn for one batch at a time
    counts = []
    for samples in (1, 2, 6):
        images = perturbed(cuda, samples)
        with torch.no_grad(), counted_waits() as count:
            if layers:
                sweep_neighbourhood(images, layers)
            else:
                sweep_scores(images)
            counts.append(count())
    _, second, last = counts  # the first call of all may load libraries
    assert last - second <= 8 * a_batch  # 12 batches and 4


def test_deepfool(cuda: torch.device) -> None:
    """In a step: for the finished images, the moving ones, and once for each rival that is looked at, and once to end."""
    network = make_network(SHAPE).float().to(cuda)
    x = torch.rand((60, *SHAPE), device=cuda)
    labels = network(x).argmax(1)
    counts = []
    for steps in (1, 2):
        attack = DeepFool(max_iter=steps, overshoot=0, clip="none")
        with counted_waits() as count:
            result = attack(network, x, labels, batch_size=60)
            counts.append(count())
        assert int(result.steps.max()) == steps
    # the network has four classes; a finished batch has no last search; a device warns twice of some results of unknown size
    assert counts[1] - counts[0] <= (2 + 4) * (1 if is_pretended() else 2)
