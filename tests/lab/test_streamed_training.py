"""A network trained on a folder whose images are decoded when they are needed: the bytes of one from memory, killed or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from advlab.config import components
from advlab.data.ahead import decoded_ahead
from advlab.data.file_sources import Folder
from advlab.data.images import FilePixels, ImageData
from advlab.data.source import LoadOptions
from advlab.errors import DataError
from advlab.lab.trained_network import trained_classifier
from advlab.store.artifacts import ArtifactStore
from advlab.training import normalisation as constants
from advlab.training.batches import index_batches
from advlab.training.recipe import Recipe
from tests.helpers.commands import Ended

RECIPE = Recipe(
    name="some", epochs=4, batch_size=8, optimizer="adam", lr=1e-3, normalise="standard",
    augment=["crop:1", "flip", "pgd_linf:0.1,0.05,2"],
)  # fmt: skip

# trains on the folder that is named as the tests do, with a checkpoint after each step; it stops at each of the steps named
SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
from advlab.store.checkpoints import CheckpointFolder
from advlab.training import resumption
from tests.lab.test_streamed_training import trained

write = CheckpointFolder.write

def stopping(self, step, *state):
    write(self, step, *state)
    if str(step) in sys.argv[3:]:
        os.kill(os.getpid(), signal.SIGSTOP)

CheckpointFolder.write = stopping
resumption.MOST_OF_THE_TIME = 0
torch.set_num_threads(1)
print(trained(Path(sys.argv[1]), Path(sys.argv[2]), memory=0, seconds=1e-9))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Forty PNGs of 9 x 7 pixels in two classes."""
    rng = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "images" / "train" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def loaded(root: Path, cache: Path, memory: float) -> ImageData:
    options = LoadOptions(root, False, ArtifactStore(cache), (3, 8, 8), image_memory=memory)
    return Folder(root=str(root), split="train").load("train", "mine", options)


def trained(root: Path, cache: Path, memory: float, seconds: float = 0.0, recipe: Recipe = RECIPE) -> str:
    """The digest of the trained network."""
    model = components.REGISTRIES["model"].load("mlp")(input=[3, 8, 8], classes=2, hidden=[7])
    data = loaded(root, cache, memory)
    assert isinstance(data.pixels, FilePixels) == (memory == 0)
    store = ArtifactStore(cache)
    classifier, _ = trained_classifier("net", model, recipe, data, store, torch.device("cpu"), 0, None, seconds)
    return classifier.digest()


def weights(cache: Path) -> bytes:
    (path,) = cache.glob("weights/*/arrays.safetensors")
    return path.read_bytes()


def test_a_folder_gives_the_weights_of_its_images_in_memory(root: Path, tmp_path: Path) -> None:
    assert trained(root, tmp_path / "files", memory=0) == trained(root, tmp_path / "memory", memory=1)
    assert weights(tmp_path / "files") == weights(tmp_path / "memory")


def test_the_limit_is_the_size_of_the_decoded_images(root: Path, tmp_path: Path) -> None:
    size = 40 * 3 * 8 * 8 / 2**30
    assert isinstance(loaded(root, tmp_path, size).pixels, torch.Tensor)
    assert isinstance(loaded(root, tmp_path, size * 0.999).pixels, FilePixels)


def test_a_run_from_files_gives_the_table_of_one_from_memory(root: Path, cli: Callable[..., Ended]) -> None:
    (root / "test").mkdir()
    for path in sorted(root.glob("train/*/*.png"))[:30]:
        (root / "test" / path.parent.name).mkdir(exist_ok=True)
        path.rename(root / "test" / path.parent.name / path.name)
    tables = []
    for memory in ("0", "1"):
        ended = cli(
            "experiment=isotropy", "model=mlp", "model.input=[3,8,8]", "model.classes=2", "model.hidden=[7]", "dataset=folder",
            f"dataset.root={root}", "recipe=lenet_digits", "recipe.epochs=2", "recipe.batch_size=8", "run.preset=tiny",
            f"run.image_memory={memory}", f"run.output_root={memory}", f"run.cache_root=cache {memory}", "probe.confidence=0",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        tables.append(next(Path(memory).rglob("table.csv")).read_bytes())
    assert tables[0] == tables[1]
    assert "image_memory" in cli("experiment=isotropy", "run.image_memory=-1").err


@pytest.mark.long  # as tests/lab/test_training_resumption.py, with images from files
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_the_bytes_after_sigkill_are_the_same(root: Path, tmp_path: Path) -> None:
    def begun(*stops: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(root), str(tmp_path / "killed"), *map(str, stops)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])

    for done in (1, 13):  # of 20 steps, 5 an epoch
        process = begun(done)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.kill()
        process.wait()
    printed, _ = begun().communicate()
    assert printed.split()[-1] == trained(root, tmp_path / "whole", memory=1)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_the_constants_are_computed_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []

    def counted(pixels: FilePixels, batches: Iterable[Tensor]) -> Generator[tuple[Tensor, Tensor]]:
        passes.append(1)
        return decoded_ahead(pixels, batches)

    monkeypatch.setattr(constants, "decoded_ahead", counted)
    for seed in range(2):
        trained(
            root, tmp_path, memory=0, recipe=Recipe(name=f"r{seed}", max_steps=1, batch_size=8, normalise="standard")
        )
    assert passes == [1]
    trained(root, tmp_path, memory=0, recipe=Recipe(name="r", max_steps=1, batch_size=8, normalise="mean_image"))
    trained(root, tmp_path, memory=0, recipe=Recipe(name="r", max_steps=1, batch_size=8, normalise="caffe"))
    assert passes == [1, 1]


def test_a_dry_run_decodes_nothing_for_the_constants(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, model = loaded(root, tmp_path, 0), components.REGISTRIES["model"].load("mlp")(input=[3, 8, 8], classes=2)
    monkeypatch.setattr(constants, "decoded_ahead", None)
    store = ArtifactStore(tmp_path / "dry", writes=False)
    classifier, origin = trained_classifier("net", model, RECIPE, data, store, torch.device("cpu"), 0)
    assert origin == "not trained yet (recipe some)"
    assert bool(classifier(data.images(torch.arange(2))).isfinite().all())


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_a_corrupt_file_is_named_and_training_goes_on(
    root: Path, tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advlab.training.resumption.MOST_OF_THE_TIME", 0)
    recipe = Recipe(name="some", epochs=3, batch_size=8, normalise="caffe")
    wanted = trained(root, tmp_path / "whole", memory=1, recipe=recipe)
    pixels = loaded(root, tmp_path / "files", 0).pixels  # which looks at the digest of the files
    assert isinstance(pixels, FilePixels)
    path = pixels.paths[int(list(index_batches(40, 8, 5, 0, torch.device("cpu")))[3][0])]  # of the fourth step
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(content[:80].ljust(len(content), b"\0"))
    os.utime(path, ns=(times.st_mtime_ns, times.st_mtime_ns))  # so that its digest is not taken anew
    said = "after step 3, from its last checkpoint" if seconds else "before its first checkpoint"
    with pytest.raises(DataError, match=rf"{path} is corrupt or no image .*training net was interrupted.*{said}"):
        trained(root, tmp_path / "files", memory=0, seconds=seconds, recipe=recipe)
    path.write_bytes(content)
    assert trained(root, tmp_path / "files", memory=0, seconds=seconds, recipe=recipe) == wanted
