"""timm's networks by name: their configuration is timm's, their weights come from its cache, and nothing else is read."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab.errors import MissingPackageError, ModelError
from advlab.models.timm_networks import Timm
from tests.helpers.classifiers import images, loaded
from tests.helpers.commands import Ended

timm = pytest.importorskip("timm", reason='needs pip install "advlab[timm]"')
from huggingface_hub import constants  # noqa: E402
from huggingface_hub.errors import EntryNotFoundError  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

REPOSITORY = "timm/test_vit.r160_in1k"
SHAPE = (3, 160, 160)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where huggingface_hub looks, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    return tmp_path / "hub"


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("no network here")


def place(hub: Path, save: Callable[[dict[str, Any], Path], None], name: str = "model.safetensors") -> nn.Module:
    """Random weights of the network in a cache as huggingface_hub writes it."""
    torch.manual_seed(4)
    network: nn.Module = timm.create_model("test_vit")
    folder = hub / f"models--{REPOSITORY.replace('/', '--')}"
    for part in ("refs", "blobs", "snapshots/abc"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    save(network.state_dict(), folder / "blobs" / "new")
    blob = (folder / "blobs" / "new").rename(folder / "blobs" / sha256(folder / "blobs" / "new"))
    (folder / "snapshots" / "abc" / name).symlink_to(blob)
    return network.eval()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("arch", ["resnet18", "test_vit.r160_in1k", "convnext_atto.d2_in1k", "inception_v3"])
def test_the_configuration_is_timms(arch: str) -> None:
    model = Timm(arch=arch)
    network = timm.create_model(arch)
    wanted = timm.data.resolve_data_config({}, model=network)
    assert model.shape == wanted["input_size"]
    assert model.constants() == (list(wanted["mean"]), list(wanted["std"]))
    assert (model.crop, model.resample) == (wanted["crop_pct"], wanted["interpolation"])
    assert model.class_count == network.num_classes
    assert model.pretrained


def test_weights_of_the_cache_with_their_normalisation(hub: Path) -> None:
    network = place(hub, save_file)
    found = loaded(Timm(arch="test_vit"), shape=SHAPE)
    assert found.origin == f"{REPOSITORY}/model.safetensors"
    x = images(SHAPE, 2)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in Timm(arch="test_vit").constants())
    torch.testing.assert_close(found.classifier(x), network((x - mean) / std), rtol=1e-4, atol=1e-5)
    other = loaded(Timm(arch="test_vit", weights="r160_in1k"), shape=SHAPE).classifier
    assert other.digest() == found.classifier.digest()


def test_position_embeddings_follow_the_size_of_the_images(hub: Path) -> None:
    place(hub, save_file)
    found = loaded(Timm(arch="test_vit", input=[3, 96, 96]), shape=(3, 96, 96)).classifier
    (path,) = (hub / f"models--{REPOSITORY.replace('/', '--')}" / "blobs").iterdir()
    overlay = {"file": str(path.rename(path.with_suffix(".safetensors")))}
    reference = timm.create_model("test_vit", pretrained=True, img_size=96, pretrained_cfg_overlay=overlay).eval()
    assert found.network.state_dict().keys() == reference.state_dict().keys()
    assert all(torch.equal(a, reference.state_dict()[name]) for name, a in found.network.state_dict().items())


def test_a_file_of_the_cache_is_checked(hub: Path) -> None:
    place(hub, save_file)
    (blob,) = (hub / f"models--{REPOSITORY.replace('/', '--')}" / "blobs").iterdir()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(ModelError, match=r"is not the published file: its SHA-256 is .* model\.sha256="):
        loaded(Timm(arch="test_vit"), shape=SHAPE)
    assert loaded(Timm(arch="test_vit", sha256=sha256(blob)), shape=SHAPE).classifier.classes == 1000


def test_a_hostile_file_is_refused(hub: Path) -> None:
    place(
        hub,
        lambda state, path: torch.save({"state_dict": state, "args": argparse.Namespace()}, path),
        "pytorch_model.bin",
    )
    with pytest.raises(ModelError, match=r"holds argparse.Namespace, and files that hold more than tensors are not"):
        loaded(Timm(arch="test_vit"), shape=SHAPE)


@pytest.mark.parametrize("download", [False, True])
def test_missing_weights_name_file_folder_and_command(hub: Path, download: bool) -> None:
    with pytest.raises(ModelError, match="no network here" if download else r"run\.download=false") as caught:
        loaded(Timm(arch="test_vit"), shape=SHAPE, download=download)
    for words in (str(hub), f"{REPOSITORY}/resolve/main/model.safetensors", "model.checkpoint=FILE"):
        assert words in str(caught.value)
    assert "python -c \"import timm; timm.create_model('test_vit', pretrained=True)\"" in str(caught.value)


def test_what_is_missing_is_fetched_in_the_form_that_there_is(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = place(hub, torch.save, "somewhere.bin")
    asked = []

    def fetch(repository: str, name: str, revision: str | None) -> str:
        asked.append((repository, name, revision))
        if name == "model.safetensors":
            raise EntryNotFoundError.__new__(EntryNotFoundError)
        return str(hub / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / "abc" / "somewhere.bin")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    found = loaded(Timm(arch="test_vit"), shape=SHAPE, download=True)
    assert asked == [(REPOSITORY, "model.safetensors", None), (REPOSITORY, "pytorch_model.bin", None)]
    assert found.origin == f"{REPOSITORY}/pytorch_model.bin"
    assert all(torch.equal(a, found.classifier.network.state_dict()[name]) for name, a in network.state_dict().items())


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"arch": "resnet81"}, r"timm has no network 'resnet81'\. Did you mean resnet18"),
        ({"arch": "resnet18.gluonin1k"}, r"timm's resnet18 has no weights 'gluonin1k'\. Did you mean gluon_in1k"),
        ({"arch": "resnet18", "classes": 10}, r"1000 classes: type model\.weights=none for model\.classes=10"),
        (
            {"arch": "resnet18", "input": [1, 28, 28]},
            r"3 channels: type model\.weights=none for model\.input=\[1,28,28\]",
        ),
        ({"arch": "eva02_tiny_patch14_224"}, "gives features and no classes"),
    ],
)
def test_faults_are_told_before_anything_is_loaded(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        Timm(**keys).check_files()


def test_the_remedy_of_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingPackageError, match=r'pip install "advlab\[timm\]"'):
        Timm(arch="resnet18").check_files()
    with pytest.raises(MissingPackageError, match=r'pip install "advlab\[timm\]"'):
        assert Timm(arch="resnet18").shape


def test_a_run_from_start_to_end(cli: Callable[..., Ended], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=10, in_chans=1)
    torch.save({"model": network.state_dict()}, tmp_path / "weights.pt")
    line = ["model=timm", "model.arch=test_resnet", "dataset=digits", "run.preset=tiny", "probe.confidence=0.01"]
    ended = cli(*line)
    assert ended.code == 2
    assert "3x160x160" in ended.err
    own = ["model.weights=none", "model.input=[1,28,28]", "model.classes=10"]
    ended = cli(*line, *own)
    assert "no recipe to train it" in ended.err
    ended = cli(*line, *own, "model.checkpoint=weights.pt")
    assert ended.code == 0, ended.err
    assert (tmp_path / "outputs" / "isotropy" / "digits-timm-test_resnet" / "v001" / "manifest.json").is_file()
    assert "timm-test_resnet on digits" in ended.out
    assert "clean accuracy of timm-test_resnet on digits" in ended.err
