"""The content-keyed cache: what is a hit, what is a miss, what racing processes and damaged files do to it.

Longer than other files: one cache, under every damage that it must notice.
"""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.numpy import save_file
from torch import nn

from advlab.data.images import ImageData, tensor_digest
from advlab.models.classifier import Classifier
from advlab.probes.selection import Predictions, predict
from advlab.store import artifacts
from advlab.store.artifacts import Arrays, Artifact, ArtifactStore
from advlab.store.atomic import StorageError

FORK = multiprocessing.get_context("fork")
FIELDS: dict[str, Any] = {
    "version": 1,
    "weights": "aa",
    "data": "bb",
    "seed": 0,
    "options": {"lr": 0.1, "steps": [1, 2]},
}
ARRAYS: Arrays = {
    "weights": np.array([[0.1, -0.0, np.nan], [np.inf, 5e-324, -np.inf]]),
    "half": np.arange(7, dtype=np.float16),
    "flags": np.array([True, False]),
    "counts": np.arange(6, dtype=np.int64).reshape(2, 3).T,  # not contiguous
    "scalar": np.array(7, dtype=np.int64),
    "empty": np.zeros((0, 3), dtype=np.float32),
}
FACTS = {"seconds": 0.1, "recipe": 'ü "x"', "nested": {"a": [1, None]}}


def make() -> tuple[Arrays, Mapping[str, Any]]:
    return dict(ARRAYS), dict(FACTS)


def refuse_to_make() -> tuple[Arrays, Mapping[str, Any]]:
    raise AssertionError("made although it was there")


def same(artifact: Artifact) -> None:
    assert artifact.facts == FACTS
    assert set(artifact.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        found = artifact.arrays[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape), name
        assert found.tobytes() == array.tobytes(), name


def test_round_trip_to_the_bit(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    made = store.get("weights", FIELDS, make)
    found = ArtifactStore(tmp_path).get("weights", FIELDS, refuse_to_make)
    assert made.fresh
    assert not found.fresh
    same(made)
    same(found)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "ab"}, {"data": "bc"}, {"seed": 1}, {"version": 2}, {"options": {"lr": 0.1, "steps": [2, 1]}},
        {"options": {"lr": 0.1000000000000001, "steps": [1, 2]}}, {"more": None}, {"seed": "0"},
    ],
)  # fmt: skip
def test_any_changed_field_is_a_miss(change: dict[str, Any], tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.get("weights", FIELDS, make)
    assert store.find("weights", {**FIELDS, **change}) is None
    assert store.find("other kind", FIELDS) is None
    assert store.find("weights", dict(reversed(FIELDS.items()))) is not None


def test_a_changed_weight_is_a_miss_and_two_models_never_share(tmp_path: Path) -> None:
    """The predictions of networks that differ in one weight by one step, or in their normalisation, are kept apart."""
    pixels = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 4
    data = ImageData("toy", "test", tuple("abcd"), labels, (1, 8, 8), tensor_digest(pixels, labels), pixels)
    store = ArtifactStore(tmp_path)
    forwards = [0]

    def classifier(**options: Any) -> Classifier:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
        return Classifier(network, name="linear", shape=(1, 8, 8), classes=4, **{"mean": None, "std": None, **options})

    def ask(
        network: Classifier, images: ImageData = data, count: int = 20, batch: int = 7, seed: int = 0
    ) -> Predictions:
        def forward(x: torch.Tensor) -> torch.Tensor:
            forwards[0] += len(x)
            logits: torch.Tensor = network(x)
            return logits

        return predict(
            network, forward, images, seed=seed, count=count, batch=batch, precision="float32", artifacts=store,
            report_progress=lambda *_: None,
        )  # fmt: skip

    network = classifier()
    first = ask(network)
    assert forwards == [20]
    again = ask(network, batch=3)  # the batch size is no part of the key
    assert forwards == [20]
    assert np.array_equal(first.confidence, again.confidence)
    changed = classifier()
    with torch.no_grad():
        weight = changed.network.get_parameter("1.weight")
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(torch.inf))
    ask(changed)
    assert forwards == [40]
    ask(classifier(mean=torch.full((1, 1, 1), 0.1)))
    assert forwards == [60]
    ask(network, seed=1)
    assert forwards == [80]
    ask(network, count=10)
    assert forwards == [90]
    brighter = pixels.clone()
    brighter[0, 0, 0, 0] ^= 1
    ask(network, dataclasses.replace(data, pixels=brighter, digest=tensor_digest(brighter, labels)))
    assert forwards == [110]
    ask(network)
    assert forwards == [110]


def stored_files(store: ArtifactStore) -> dict[str, Path]:
    return {path.name: path for path in store.folder("weights", FIELDS).iterdir()}


@pytest.mark.parametrize("name", ["facts.json", "arrays.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
def test_damage_is_quarantined_reported_and_made_again(
    name: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ArtifactStore(tmp_path)
    store.get("weights", FIELDS, make)
    path = stored_files(store)[name]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    contents = {"flip": bytes(data), "cut": bytes(data[:-9]), "empty": b""}
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(contents[damage])
    with caplog.at_level("WARNING", logger="advlab"):
        again = store.get("weights", FIELDS, make)
    assert again.fresh
    assert "made again" in caplog.text
    folder = store.folder("weights", FIELDS)
    assert folder.with_name(f"{folder.name}.quarantined-1").is_dir()
    same(store.get("weights", FIELDS, refuse_to_make))


def test_every_flipped_bit_of_an_artifact(tmp_path: Path) -> None:
    """Read as a whole: the arrays and facts come back to the bit, or not at all."""
    store, reader = ArtifactStore(tmp_path), ArtifactStore(tmp_path, writes=False)
    store.get("weights", FIELDS, make)
    random = np.random.default_rng(0)
    missed = 0
    for path in stored_files(store).values():
        data = path.read_bytes()
        for position in random.choice(len(data) * 8, 150, replace=False):
            flipped = bytearray(data)
            flipped[position // 8] ^= 1 << position % 8
            path.write_bytes(flipped)
            found = reader.find("weights", FIELDS)
            if found is None:
                missed += 1
            else:
                same(found)
        path.write_bytes(data)
    assert missed > 250


def test_a_copied_artifact_of_another_key_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.get("weights", FIELDS, make)
    other = {**FIELDS, "seed": 1}
    store.folder("weights", FIELDS).rename(store.folder("weights", other))
    assert store.find("weights", other) is None


def race(root: Path, counter: Path, barrier: Any, results: Any) -> None:
    def slow() -> tuple[Arrays, Mapping[str, Any]]:
        with counter.open("a") as file:
            file.write("made\n")
        time.sleep(0.2)
        return make()

    barrier.wait()
    artifact = ArtifactStore(root).get("weights", FIELDS, slow)
    same(artifact)
    results.put(artifact.fresh)


def test_racing_processes_make_it_once(tmp_path: Path) -> None:
    count = 16
    barrier, results = FORK.Barrier(count), FORK.SimpleQueue()
    arguments = (tmp_path / "store", tmp_path / "made", barrier, results)
    racers = [FORK.Process(target=race, args=arguments) for _ in range(count)]
    for racer in racers:
        racer.start()
    fresh = [results.get() for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(fresh) == [False] * (count - 1) + [True]
    assert (tmp_path / "made").read_text() == "made\n"


def die(root: Path) -> None:
    def save_and_die(*arguments: Any) -> None:
        save_file(*arguments)
        os.kill(os.getpid(), 9)

    mock.patch.object(artifacts, "save_file", save_and_die).start()
    ArtifactStore(root).get("weights", FIELDS, make)


def test_a_killed_maker_leaves_no_artifact_and_no_rubbish(tmp_path: Path) -> None:
    process = FORK.Process(target=die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -9
    store = ArtifactStore(tmp_path)
    assert store.find("weights", FIELDS) is None
    assert len(list((tmp_path / "weights").glob(".making-*"))) == 1
    assert store.get("weights", FIELDS, make).fresh
    assert list((tmp_path / "weights").glob(".making-*")) == []


def test_a_maker_that_fails_or_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> tuple[Arrays, Mapping[str, Any]]:
        raise KeyboardInterrupt

    store = ArtifactStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.get("weights", FIELDS, broken)
    assert store.find("weights", FIELDS) is None
    assert store.get("weights", FIELDS, make).fresh


@pytest.mark.parametrize("function", ["os.fsync", "tempfile.mkdtemp", "pathlib.Path.rename"])
def test_full_disk_leaves_nothing_half_written(function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = ArtifactStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(function, full)
        with pytest.raises(StorageError, match=r"No space left.*run\.cache_root") as caught:
            store.get("weights", FIELDS, make)
    assert caught.value.exit_code == 1
    assert [path.name for path in (tmp_path / "weights").iterdir() if path.is_dir()] == []
    assert store.get("weights", FIELDS, make).fresh


def test_safetensors_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(artifacts, "save_file", full)
    with pytest.raises(StorageError, match="No space left"):
        ArtifactStore(tmp_path).get("weights", FIELDS, make)


def test_a_dry_run_stores_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "cache", writes=False)
    same(store.get("weights", FIELDS, make))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("kept", [make, lambda: ({}, {})])
def test_an_artifact_may_be_facts_alone(kept: Callable[[], tuple[Arrays, Mapping[str, Any]]], tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    made, found = store.get("k", {}, kept), store.get("k", {}, refuse_to_make)
    assert (set(made.arrays), made.facts) == (set(found.arrays), found.facts)
