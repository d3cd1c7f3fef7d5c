"""What single datasets promise besides: damage that is named, splits and labels that stay."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from advlab.config import components
from advlab.data.digits import FILE
from advlab.data.images import resized
from advlab.data.source import LoadOptions
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from tests.helpers.datasets import DATASET_CASES, Bench


@pytest.mark.parametrize("damage", ["truncated", "empty", "other bytes"])
@pytest.mark.parametrize("name", ["mnist", "cifar10", "gtsrb"])
def test_damaged_files_are_named(name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(name, DATASET_CASES[name], tmp_path, monkeypatch)
    bench.load()
    pattern = {"mnist": "t10k-images*", "cifar10": "test_batch", "gtsrb": "00003.ppm"}[name]
    (path,) = (tmp_path / "data").rglob(pattern)
    data = path.read_bytes()
    path.write_bytes({"truncated": data[: len(data) // 2], "empty": b"", "other bytes": gzip.compress(data)}[damage])
    with pytest.raises(DataError, match=r"damaged|corrupt") as caught:
        bench.load()
    assert str(tmp_path / "data") in str(caught.value)
    assert "download=True" not in str(caught.value)  # torchvision's advice names what is no key here


def test_digits_are_split_once_and_for_all() -> None:
    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False))
    digits = components.REGISTRIES["dataset"].load("digits")()
    train, test = (digits.load(split, "digits", options) for split in ("train", "test"))
    rows = [image.numpy().tobytes() for data in (train, test) for image in data.bytes(torch.arange(len(data)))]
    assert len(set(rows[: len(train)]) & set(rows[len(train) :])) == 0
    assert (len(train), len(test)) == (1437, 360)
    # of the images and labels that scikit-learn 1.9.1 gives: noise, networks and predictions of all runs are kept under them
    assert train.digest == "e0079c7afddbe4296df8f426e6156795e5a9d52c65e4e5e54734bd0735aee3c0"
    assert test.digest == "91cc3dcb2e2715baf1e1b55586f489f37e1373efb0e04a343e75eed0b9b13c0d"
    assert min(torch.bincount(test.labels, minlength=10).tolist()) > 20
    assert components.REGISTRIES["dataset"].load("digits")().load("test", "digits", options).digest == test.digest


def test_the_digits_are_those_of_scikit_learn() -> None:
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(1797)
    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False))
    for split, rows in (("train", order[:1437]), ("test", order[1437:])):
        data = components.REGISTRIES["dataset"].load("digits")().load(split, "digits", options)
        pixels = torch.from_numpy(np.rint(bunch.images[rows] * (255 / 16)).astype(np.uint8))[:, None]
        assert torch.equal(data.bytes(torch.arange(len(data))), resized(pixels, (1, 28, 28)))
        assert data.labels.tolist() == bunch.target[rows].tolist()


def test_the_licence_of_the_digits_names_the_file_that_is_shipped() -> None:
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    licence = FILE.with_name("digits_licence.txt").read_text(encoding="utf-8")
    assert all(words in licence for words in (digest, "10.24432/C50P49", "CC BY 4.0", "scikit-learn developers"))


def test_a_missing_gtsrb_class_does_not_shift_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("gtsrb", DATASET_CASES["gtsrb"], tmp_path, monkeypatch)
    before = set(bench.load("train").labels.tolist())
    training = tmp_path / "data" / "gtsrb" / "GTSRB" / "Training"
    shutil.rmtree(training / "00003")
    assert set(bench.load("train").labels.tolist()) == before - {3}
    (training / "00004").rename(training / "stop sign")
    with pytest.raises(DataError, match="its class folders are not called 00000 to 00042"):
        bench.load("train")
