"""Training from files that are decoded ahead: the bytes of training from memory, whatever the threads and wherever it ends."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from advlab.data.decode import decoder
from advlab.data.images import FilePixels
from advlab.errors import DataError
from advlab.training import normalisation as constants
from advlab.training.batches import index_batches
from advlab.training.loop import train
from advlab.training.normalisation import normalisation
from advlab.training.recipe import Recipe
from tests.helpers.frequent_checkpoints import FrequentCheckpoints
from tests.helpers.interrupted_training import (
    BASE,
    RECIPES,
    Death,
    dying_at,
    images_in_files,
    training,
    training_images,
)
from tests.helpers.long_cases import one_in


@pytest.fixture
def files(tmp_path: Path) -> FilePixels:
    return images_in_files(tmp_path / "images")


def no_thread_decodes() -> bool:
    return not any(thread.name.startswith("decode") for thread in threading.enumerate())


@pytest.mark.parametrize("name", RECIPES)
def test_the_bytes_are_those_of_training_from_memory(
    name: str, files: FilePixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, wanted_log = training(RECIPES[name], None)
    for threads in (1, 5):
        monkeypatch.setattr("advlab.data.ahead.decoding_threads", lambda threads=threads: threads)
        found, log = training(RECIPES[name], None, files=files)
        assert found == wanted
        assert [epoch.loss for epoch in log.epochs] == [epoch.loss for epoch in wanted_log.epochs]
        assert no_thread_decodes()


@pytest.mark.parametrize("name", ["warmup", "pgd"])
@pytest.mark.parametrize("moment", one_in(2, [1, 2, 8, 11, 19]))  # of 20 steps, 4 an epoch
def test_it_goes_on_to_the_same_bytes(name: str, moment: int, files: FilePixels, tmp_path: Path) -> None:
    wanted, _ = training(RECIPES[name], None)
    with pytest.raises(Death):
        training(RECIPES[name], FrequentCheckpoints(tmp_path / "kept", 1), dying_at(moment), files)
    assert no_thread_decodes()
    assert training(RECIPES[name], FrequentCheckpoints(tmp_path / "kept", 1), files=files)[0] == wanted


def test_files_of_steps_that_were_done_are_not_decoded(files: FilePixels, tmp_path: Path) -> None:
    with pytest.raises(Death):
        training(BASE, FrequentCheckpoints(tmp_path / "kept", 1), dying_at(11), files)
    decoded: list[Path] = []

    def noted(path: Path) -> Tensor:
        decoded.append(path)
        return files.decode(path)

    training(BASE, FrequentCheckpoints(tmp_path / "kept", 1), files=replace(files, decode=noted))
    remaining = torch.cat(list(index_batches(70, 16, 20, 3, torch.device("cpu"), first=10)))
    assert len(remaining) == 10 * 16
    assert Counter(decoded) == Counter(files.paths[index] for index in remaining.tolist())


def test_of_a_corrupt_file_the_steps_before_its_own_are_made(files: FilePixels, tmp_path: Path) -> None:
    """The very file brought back, the training goes on to the same bytes."""
    order = list(index_batches(70, 16, 20, 3, torch.device("cpu")))
    corrupt = files.paths[int(order[2][5])]  # the first time in the third step
    assert all(files.paths.index(corrupt) not in step for step in order[:2])
    content = corrupt.read_bytes()
    corrupt.write_bytes(content[:60])
    steps: list[int] = []
    with pytest.raises(DataError, match=rf"{corrupt.name} is corrupt or no image"):
        training(BASE, FrequentCheckpoints(tmp_path / "kept", 1), lambda done, *_: steps.append(done), files)
    assert steps == [1, 2]
    assert no_thread_decodes()
    corrupt.write_bytes(content)
    checkpoints = FrequentCheckpoints(tmp_path / "kept", 1)
    assert training(BASE, checkpoints, files=files)[0] == training(BASE, None)[0]
    assert checkpoints.resumed_at == 2


def test_an_interrupted_training_leaves_no_thread(files: FilePixels) -> None:
    def interrupt(done: int, *_: object) -> None:
        assert not no_thread_decodes()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        training(BASE, None, interrupt, files)
    assert caught.tb  # which keeps the frames alive, so that nothing ends for want of a reference
    assert no_thread_decodes()


@pytest.mark.parametrize("normalise", ["caffe", "mean_image", "standard"])
def test_the_constants_are_those_of_images_in_memory(
    normalise: str, files: FilePixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "BYTES_AT_ONCE", 9 * 64)  # nine images at a time, and seven at the end
    recipe = Recipe(name="n", epochs=1, normalise=normalise)  # type: ignore[arg-type]
    for wanted, found in zip(normalisation(recipe, training_images()[0]), normalisation(recipe, files), strict=True):
        assert torch.equal(wanted, found)


def test_no_files_are_refused() -> None:
    none = FilePixels([], decoder((1, 8, 8), 1.0, "crop", "bilinear"), (1, 8, 8))
    with pytest.raises(ValueError, match="there are no images"):
        train(
            torch.nn.Linear(1, 1), none, torch.zeros(0), BASE, mean=torch.zeros(1), std=torch.ones(1), device="cpu", seed=0
        )  # fmt: skip
