"""Training on the device: the weights of the CPU where nothing is drawn there, and every adversary and augmentation runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from advlab.data.decode import decoder
from advlab.data.images import FilePixels
from advlab.models.networks.lenet import LeNet
from advlab.training.loop import OnStep, train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints
from tests.helpers.frequent_checkpoints import FrequentCheckpoints
from tests.helpers.two_devices import is_pretended


def trained(
    device: torch.device | str,
    epochs: int = 2,
    checkpoints: TrainingCheckpoints | None = None,
    on_step: OnStep | None = None,
    folder: Path | None = None,
    **recipe: Any,
) -> nn.Module:
    """A LeNet after a few steps on random images, in memory or in the files of a folder."""
    torch.manual_seed(0)
    network = LeNet(input_shape=(1, 28, 28), classes=10)
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (64, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (64,), generator=generator)
    options = {"epochs": epochs, "batch_size": 32, "optimizer": "sgd", "lr": 0.01, **recipe}
    mean, std = torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.3)
    pixels = images if folder is None else in_files(images, folder)
    log = train(
        network, pixels, labels, Recipe(name="t", **options), mean=mean, std=std, device=device, seed=0,  # type: ignore[arg-type]
        on_step=on_step, checkpoints=checkpoints,
    )  # fmt: skip
    assert log.steps == 2 * epochs
    return network


def in_files(images: Tensor, folder: Path) -> FilePixels:
    """The images as PNG files in a folder."""
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    return FilePixels(paths, decoder((1, 28, 28), 1.0, "crop", "bilinear"), (1, 28, 28))


@pytest.mark.parametrize(("optimizer", "share"), [("sgd", 0.0), ("adam", 1e-3)])
def test_the_weights_are_those_of_the_cpu(optimizer: str, share: float, request: pytest.FixtureRequest) -> None:
    """Adam divides gradients by their size: of a weight whose gradient is rounding noise, the noise's sign decides a whole step of
    the learning rate. Of these 431,080 weights that is some ten: with images that are off by 1e-6, weights differ by up to .024,
    but 1e-5 of them by more than 1e-3. A learning rate that is 2 % off moves 8 % of them by more."""
    here = trained("cpu", optimizer=optimizer)
    there = trained(request.getfixturevalue("cuda"), optimizer=optimizer)
    assert share_that_differs(here, there) <= share


@pytest.mark.parametrize(
    "recipe",
    [
        {"augment": ["hard:2,0.5"]}, {"augment": ["pgd:2,0.1"]}, {"augment": ["noise:0.5"]}, {"augment": ["hard_noise:2,0.5"]},
        {"augment": ["pgd_linf:8/255,2/255,3"]}, {"augment": ["pgd_linf_and_clean:0.3,0.1,2"], "precision": "bf16"},
        {"augment": ["crop:2", "flip", "affine:10,0.1,0.1"]}, {"precision": "bf16"}, {"label_smoothing": 0.1},
        {"penalty": ["gradient:0.1", "hessian:0.01,0.1"]},
    ],
    ids=str,
)  # fmt: skip
def test_it_runs(recipe: dict[str, Any], cuda: torch.device) -> None:
    network = trained(cuda, epochs=1, **recipe)
    for parameter in network.parameters():
        assert parameter.device.type == "cuda"
        assert bool(parameter.isfinite().all())


def test_images_of_files_give_the_weights_of_those_in_memory(cuda: torch.device, tmp_path: Path) -> None:
    options: dict[str, Any] = {"augment": ["crop:1", "flip", "pgd_linf:0.1,0.05,2"]}
    found = trained(cuda, folder=tmp_path, **options)
    assert all(parameter.device.type == "cuda" for parameter in found.parameters())
    assert share_that_differs(trained(cuda, **options), found) <= (0.0 if is_pretended() else 1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_goes_on_from_a_checkpoint(optimizer: str, cuda: torch.device, tmp_path: Path) -> None:
    def stop(done: int, total: int, loss: float) -> None:
        if done == 6:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"optimizer": optimizer, "augment": ["crop:1", "pgd_linf:0.1,0.05,2"]}
    wanted = trained(cuda, 4, **options)
    with pytest.raises(KeyboardInterrupt):
        trained(cuda, 4, FrequentCheckpoints(tmp_path, 2), stop, **options)
    checkpoints = FrequentCheckpoints(tmp_path, 2)
    found = trained(cuda, 4, checkpoints, **options)
    assert checkpoints.resumed_at == 4
    assert all(parameter.device.type == "cuda" for parameter in found.parameters())
    assert share_that_differs(wanted, found) <= (0.0 if is_pretended() else 1e-3)  # CUDA adds in no fixed order


def share_that_differs(one: nn.Module, other: nn.Module) -> float:
    """The share of the weights of two networks that differ by more than 1e-3."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return float((torch.cat([(a.cpu() - b.cpu()).abs().flatten() for a, b in pairs]) > 1e-3).double().mean())
