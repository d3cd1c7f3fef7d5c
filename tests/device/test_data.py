"""Images that lie on the device, that stay in the CPU's memory, and that are read from files whenever they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from advlab import testing
from advlab.data.images import FilePixels, ImageData
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from tests.helpers.image_folders import put_image, read_folder
from tests.helpers.images import random_images
from tests.helpers.networks import make_network
from tests.helpers.pretended_cuda import pretended_cuda


def arrives(data: ImageData, there: ImageData) -> None:
    """Assert that pixels and labels arrive on the device, whichever device the indices are on."""
    wanted = data.images(torch.tensor([3, 0]))
    for indices in (torch.tensor([3, 0]), torch.tensor([3, 0], device="cuda")):
        pixels = there.images(indices)
        assert pixels.device.type == "cuda"
        assert torch.equal(pixels.cpu(), wanted)
    pixels, labels = there.images_and_labels([3, 0])
    assert (pixels.device.type, labels.device.type) == ("cuda", "cuda")
    assert torch.equal(labels.cpu(), data.labels[[3, 0]])
    assert there.images(torch.zeros(0, dtype=torch.int64)).device.type == "cuda"
    assert torch.allclose(there.mean_image(2), data.mean_image(), atol=1e-12)


def test_a_small_dataset_lies_on_the_device(cuda: torch.device) -> None:
    data = replace(random_images(5, (3, 4, 4)), labels=torch.tensor([0, 1, 0, 1, 1]))
    there = data.to(cuda)
    assert isinstance(there.pixels, torch.Tensor)
    assert there.pixels.device.type == "cuda"
    arrives(data, there)


def test_a_dataset_above_a_quarter_of_the_free_memory_stays(
    monkeypatch: pytest.MonkeyPatch, cuda: torch.device
) -> None:
    data = random_images(5, (3, 4, 4))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (4 * 5 * 3 * 4 * 4 - 1, 16 << 30))
    there = data.to(cuda)
    assert isinstance(there.pixels, torch.Tensor)
    assert there.pixels.device.type == "cpu"
    arrives(data, there)


def test_files_are_read_when_they_are_asked_for(tmp_path: Path, cuda: torch.device) -> None:
    for i in range(4):
        put_image(tmp_path / "images" / "ab"[i % 2] / f"{i}.png", 10 * i)
    data = read_folder(tmp_path / "images", memory=0)
    assert isinstance(data.pixels, FilePixels)
    there = data.to(cuda)
    assert isinstance(there.pixels, FilePixels)
    arrives(data, there)
    tables = []
    for images in (data, replace(data, pixels=data.bytes(torch.arange(4)))):
        classifier = Classifier(make_network(data.shape).float(), name="toy", shape=data.shape, mean=None, std=None)
        forward = Forward(classifier.to(cuda), Execution(64, "contiguous", "float32"))
        probe = {"probe.radii": [0.1, 1], "probe.trials": 8, "probe.samples": 2, "probe.confidence": 0.0}
        tables.append(testing.measured(testing.context("isotropy", forward, images, options=probe)))
    assert tables[0].equals(tables[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="a real device's memory is not that small")
def test_pixels_that_do_not_fit_are_not_tried() -> None:
    with pretended_cuda(memory=800) as device:
        there = random_images(5, (3, 4, 4)).to(device)  # 240 bytes, of 400 free
        assert isinstance(there.pixels, torch.Tensor)
        assert there.pixels.device.type == "cpu"
