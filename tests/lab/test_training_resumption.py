"""Trainings of a run that are interrupted or killed: what is said, what stays in the cache, and that the weights are the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from advlab import testing
from advlab.errors import Interrupted, ModelError
from advlab.lab import DataContext
from advlab.progress import Progress
from advlab.store.atomic import StorageError
from advlab.store.checkpoints import CheckpointFolder
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints
from tests.helpers.images import random_images

SHAPE = (1, 6, 6)
RECIPE = Recipe(name="some", max_steps=30, batch_size=4, lr=0.01, augment=["hard:1,0.1"])

# trains a perceptron on digits in the cache that is named, with a checkpoint after each step; stops at a fortieth if it is told
SCRIPT = """
import logging, os, signal, sys
from pathlib import Path
import torch
from advlab.config import components
from advlab.data.source import LoadOptions
from advlab.lab.trained_network import trained_classifier
from advlab.store.artifacts import ArtifactStore
from advlab.store.checkpoints import CheckpointFolder
from advlab.training import resumption
from advlab.training.recipe import Recipe

write = CheckpointFolder.write

def stopping(self, step, *state):
    write(self, step, *state)
    if step % 40 == 0:
        os.kill(os.getpid(), signal.SIGSTOP)

if "stop" in sys.argv:
    CheckpointFolder.write = stopping
resumption.MOST_OF_THE_TIME = 0
logging.basicConfig(level="INFO", stream=sys.stderr, format="%(message)s")
torch.set_num_threads(1)
store = ArtifactStore(Path(sys.argv[1]))
data = components.REGISTRIES["dataset"].load("digits")().load("train", "digits", LoadOptions(Path("."), False, store))
model = components.REGISTRIES["model"].load("mlp")(hidden=[16])
recipe = Recipe(name="some", max_steps=120, batch_size=16, optimizer="adam", lr=1e-3, augment=["pgd_linf:0.1,0.05,2"])
classifier, _ = trained_classifier("net", model, recipe, data, store, torch.device("cpu"), 0, None, 1e-9)
print(classifier.digest())
"""


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each step, however long it takes."""
    monkeypatch.setattr("advlab.training.resumption.MOST_OF_THE_TIME", 0)


def context(folder: Path, seconds: float = 1e-9) -> DataContext:
    options = {
        "model": {"name": "mlp", "input": list(SHAPE), "hidden": [5], "classes": 10}, "experiment.seeds": 1,
        "run.checkpoint_seconds": seconds,
    }  # fmt: skip
    made: DataContext = testing.context(
        "hard_point_training", images=random_images(20, SHAPE), options=options, folder=folder
    )
    return made


def interrupting_at(step: int) -> Callable[..., None]:
    def update(self: Progress, done: int, *_: object) -> None:
        if done == step:
            raise Interrupted(signal.SIGINT)

    return update


def unfinished(folder: Path) -> list[Path]:
    return list(folder.rglob(".unfinished-*"))


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("fine_tuned", [False, True])
def test_it_goes_on_after_ctrl_c(
    fine_tuned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    whole, broken = context(tmp_path / "whole", seconds=0), context(tmp_path / "broken")
    initial = whole.train(seed=9, recipe=RECIPE) if fine_tuned else None
    wanted = whole.train(RECIPE, initial=initial, seed=2)
    assert not unfinished(tmp_path)
    for moment in (1, 8, 21):
        with monkeypatch.context() as patch:
            patch.setattr(Progress, "update", interrupting_at(moment))
            with pytest.raises(Interrupted):
                broken.train(RECIPE, initial=initial, seed=2)
    said = [record.getMessage() for record in caplog.records if "was interrupted" in record.getMessage()]
    assert "before its first checkpoint" in said[0]
    assert "goes on with it after step 7, from its last checkpoint" in said[1]
    assert "after step 20" in said[2]
    assert len(unfinished(tmp_path)) == 1
    assert broken.train(RECIPE, initial=initial, seed=2).digest() == wanted.digest()
    assert not unfinished(tmp_path)
    (facts,) = (tmp_path / "broken").glob("weights/*/facts.json")
    assert json.loads(facts.read_bytes())["facts"]["threads"] == torch.get_num_threads()


@pytest.mark.usefixtures("often")
def test_other_trainings_have_checkpoints_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx, whole = context(tmp_path / "a"), context(tmp_path / "b", seconds=0)
    for seed in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(Progress, "update", interrupting_at(9))
            with pytest.raises(Interrupted):
                ctx.train(RECIPE, seed=seed)
    assert len(unfinished(tmp_path)) == 2
    assert ctx.train(RECIPE, seed=1).digest() == whole.train(RECIPE, seed=1).digest()
    assert len(unfinished(tmp_path)) == 1


@pytest.mark.usefixtures("often")
def test_a_training_that_diverges_leaves_no_checkpoint(tmp_path: Path) -> None:
    wild = Recipe(name="wild", max_steps=200, batch_size=4, lr=1e36, schedule="constant")
    with pytest.raises(ModelError, match=r"lower recipe\.lr"):
        context(tmp_path).train(wild)
    assert not list(tmp_path.rglob("step-*"))


def wait_for_a_checkpoint(process: subprocess.Popen[str], cache: Path) -> None:
    """Until there is one; the process must not end before."""
    while not list(cache.rglob("step-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def line_with(word: str, process: subprocess.Popen[str]) -> str:
    """The next line on its standard error that holds the word; empty if it ends without."""
    assert process.stderr is not None
    return next((line for line in process.stderr if word in line), "")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_the_bytes_after_sigkill_are_the_same(tmp_path: Path) -> None:
    def begun(cache: Path, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(cache), *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    cache = tmp_path / "killed"
    # those that are killed are still at it then, however fast they are
    whole, first = begun(tmp_path / "whole"), begun(cache, "stop")
    wait_for_a_checkpoint(first, cache)
    first.kill()
    # two at once: one goes on and is killed, the other waits, and goes on from there
    second = begun(cache, "stop")
    assert "goes on after step" in line_with("goes on", second)
    third = begun(cache)
    assert "waiting for another process" in line_with("waiting", third)
    second.kill()
    printed, said = third.communicate()
    assert "goes on after step" in said
    wanted, _ = whole.communicate()
    assert wanted.split()[-1] == printed.split()[-1]
    files = [next((tmp_path / name).glob("weights/*/arrays.safetensors")) for name in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not unfinished(tmp_path)


def test_checkpoints_take_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of 10 s is followed by 200 s without, one of no time by the seconds that were asked for."""
    clock = [0.0]
    monkeypatch.setattr("advlab.training.resumption.time.perf_counter", lambda: clock[0])
    written: list[int] = []

    def write(self: CheckpointFolder, step: int, *_: object) -> None:
        written.append(step)
        clock[0] += 10 if step == 60 else 0

    monkeypatch.setattr(CheckpointFolder, "write", write)
    checkpoints = TrainingCheckpoints(CheckpointFolder(tmp_path, {}), 60)

    class State:
        arrays = facts = dict

    for step in range(1, 401):  # a second each
        clock[0] += 1
        checkpoints.after(step, State())  # type: ignore[arg-type]
    assert written == [60, 260, 320, 380]


def test_a_full_disk_is_said_once_and_again_after_there_was_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an hour's training on a full disk there would be a warning a minute otherwise."""

    def write(self: CheckpointFolder, step: int, *_: object) -> None:
        if step != 4:
            raise StorageError("full")

    monkeypatch.setattr(CheckpointFolder, "write", write)
    checkpoints = TrainingCheckpoints(CheckpointFolder(tmp_path, {}), 0)

    class State:
        arrays = facts = dict

    monkeypatch.setattr("advlab.training.resumption.MOST_OF_THE_TIME", 0)
    said = []
    for step in range(1, 8):
        checkpoints.after(step, State())  # type: ignore[arg-type]
        said.append(len(caplog.records))
    assert said == [1, 1, 1, 1, 2, 2, 2]
