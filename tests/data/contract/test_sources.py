"""What single datasets promise besides: damage that is named, splits and labels that stay."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from advlab.config import components
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
    bunch = load_digits()
    wanted = resized(torch.from_numpy(np.rint(bunch.images * 255 / 16).astype(np.uint8))[:, None], (1, 28, 28))
    assert sorted(rows) == sorted(image.numpy().tobytes() for image in wanted)
    assert min(torch.bincount(test.labels, minlength=10).tolist()) > 20
    assert components.REGISTRIES["dataset"].load("digits")().load("test", "digits", options).digest == test.digest


def test_a_missing_gtsrb_class_does_not_shift_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("gtsrb", DATASET_CASES["gtsrb"], tmp_path, monkeypatch)
    before = set(bench.load("train").labels.tolist())
    training = tmp_path / "data" / "gtsrb" / "GTSRB" / "Training"
    shutil.rmtree(training / "00003")
    assert set(bench.load("train").labels.tolist()) == before - {3}
    (training / "00004").rename(training / "stop sign")
    with pytest.raises(DataError, match="its class folders are not called 00000 to 00042"):
        bench.load("train")
