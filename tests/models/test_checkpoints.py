"""Weights from files: every format, every misfit named, nothing executed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from advlab.config import components
from advlab.errors import ModelError
from advlab.models.checkpoints import load_state, read_state
from advlab.models.plugin_model import PluginModel
from advlab.store.sealed import sha256_file
from tests.helpers.classifiers import lenet, loaded, same_weights

WRITERS: dict[str, Callable[[dict[str, Tensor], Path], object]] = {
    "x.safetensors": lambda state, path: save_file(state, path),
    "x.pt": lambda state, path: torch.save(state, path),
    "x.pth": lambda state, path: torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, path),
    "model.pt": lambda state, path: torch.save({"model": state}, path),
    "legacy.pt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "parallel.pt": lambda state, path: torch.save({f"module.{k}": v for k, v in state.items()}, path),
    "compiled.pt": lambda state, path: torch.save({f"_orig_mod.{k}": v for k, v in state.items()}, path),
    "both.pt": lambda state, path: torch.save({f"_orig_mod.module.{k}": v for k, v in state.items()}, path),
    "both.safetensors": lambda state, path: save_file({f"module._orig_mod.{k}": v for k, v in state.items()}, path),
    "half.pt": lambda state, path: torch.save({k: v.half() for k, v in state.items()}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_that_fit(name: str, tmp_path: Path) -> None:
    trained, path = lenet(1), tmp_path / name
    if name == "half.pt":
        trained.half().float()
    WRITERS[name](dict(trained.state_dict()), path)
    model = loaded(
        components.REGISTRIES["model"].load("lenet")(hidden=20, checkpoint=str(path), sha256=sha256_file(path).upper())
    )
    assert same_weights(model.classifier.network, trained)
    assert model.origin == str(path)
    assert not model.classifier.training
    x = torch.rand(2, 1, 28, 28)
    assert torch.equal(model.classifier(x), trained.eval()(x))


def test_mean_and_std_come_from_the_configuration(tmp_path: Path) -> None:
    trained, path = lenet(1), tmp_path / "x.pt"
    torch.save(trained.state_dict(), path)
    model = loaded(components.REGISTRIES["model"].load("lenet")(hidden=20, checkpoint=str(path), mean=[0.1], std=[0.3]))
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(model.classifier(x), trained.eval()((x - 0.1) / 0.3))


class Wrapped(nn.Module):
    """Names that look like the prefixes of others."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x)
        return out


class Networked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x)
        return out


@pytest.mark.parametrize("kind", [Wrapped, Networked])
def test_names_that_begin_like_prefixes(kind: Callable[[], nn.Module], tmp_path: Path) -> None:
    trained, path = kind(), tmp_path / "x.safetensors"
    save_file(trained.state_dict(), path)
    model = loaded(PluginModel(build=kind, checkpoint=str(path)))
    assert same_weights(model.classifier.network, trained)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.first, self.second = nn.Flatten(), nn.Linear(784, 784), nn.Linear(784, 784)
        self.second.weight = self.first.weight
        self.norm, self.head = nn.BatchNorm1d(784), nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(self.second(self.first(self.flat(x)))))
        return out


def test_tied_weights_may_be_stored_once(tmp_path: Path) -> None:
    trained, path = Tied(), tmp_path / "x.safetensors"
    save_model(trained, str(path))
    assert len(read_state(path)) < len(trained.state_dict())
    assert same_weights(loaded(PluginModel(build=Tied, checkpoint=str(path))).classifier.network, trained)
    without = {
        k: v for k, v in trained.state_dict().items() if not k.endswith("first.weight") and "second.weight" not in k
    }
    with pytest.raises(ModelError, match=r"missing: first\.weight, second\.weight\."):
        load_state(Tied(), without, "x")
    uncounted = {k: v for k, v in trained.state_dict().items() if not k.endswith("num_batches_tracked")}
    load_state(Tied(), uncounted, "x")


def test_misfits_are_named() -> None:
    state = lenet().state_dict()
    changed = {**state, "extra.weight": torch.zeros(1), "ip1.weight": state["ip1.weight"][:7]}
    del changed["conv1.bias"]
    network = lenet()
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(ModelError) as caught:
        load_state(network, changed, "mine.pt")
    text = str(caught.value)
    assert text.startswith(
        "mine.pt does not fit the network: missing: conv1.bias; unknown: extra.weight; of another shape"
    )
    assert "ip1.weight is (7, 800), not (20, 800)" in text
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    with pytest.raises(ModelError, match=r"x is of no use: NaN or infinity in ip2\.bias"):
        load_state(network, {**state, "ip2.bias": torch.full((10,), torch.nan)}, "x")
    with pytest.raises(ModelError, match=r"unknown: a0, a1, a2, a3, a4, a5 and 3 more"):
        load_state(network, {**state, **{f"a{i}": torch.zeros(1) for i in range(9)}}, "x")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.pt does not exist: model\.checkpoint must name"):
        loaded(components.REGISTRIES["model"].load("lenet")(checkpoint=str(tmp_path / "nowhere.pt")))
    with pytest.raises(ModelError, match="is no file"):
        read_state(tmp_path)
    path = tmp_path / "x.pt"
    for content in ({}, {"epoch": 1}, [torch.zeros(2)], torch.zeros(2), {"state_dict": {"epoch": 3}}):
        torch.save(content, path)
        with pytest.raises(ModelError, match=r"x\.pt holds no state dict"):
            read_state(path)


@pytest.mark.parametrize("name", ["x.safetensors", "x.pt", "legacy.pt"])
def test_damaged_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](dict(lenet().state_dict()), path)
    data, digest = path.read_bytes(), sha256_file(path)
    for damaged in (data[: len(data) // 2], data[:10], b"", b"\0" * 100, b"<html>404</html>"):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="could not be read as weights") as caught:
            read_state(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])  # a flipped bit among the weights
    with pytest.raises(ModelError, match=rf"has the SHA-256 [0-9a-f]{{64}}, not {digest}"):
        read_state(path, digest)
    path.write_bytes(data)
    assert read_state(path, digest)


class Payload:
    """What executes code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_code_is_never_executed(tmp_path: Path, legacy: bool, bare: bool) -> None:
    mark, path = tmp_path / "executed", tmp_path / "evil.pt"
    content = {**lenet().state_dict(), "payload": Payload(mark)}
    if bare:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="more than tensors are not loaded") as caught:
        read_state(path)
    assert not mark.exists()
    assert "weights_only=False" not in str(caught.value)  # no advice to load it unsafely
    assert "trust" not in str(caught.value)
    renamed = path.rename(tmp_path / "evil.safetensors")
    with pytest.raises(ModelError):
        read_state(renamed)
    assert not mark.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(lenet(), tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"it must be a safetensors file or what torch\.save\(network\.state_dict"):
        read_state(tmp_path / "x.pt")


def test_a_plug_ins_own_weights_and_constants() -> None:
    network = Wrapped()
    model = loaded(PluginModel(build=lambda: network, mean=[0.2], std=[0.4], declared_classes=10))
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(model.classifier(x), network((x - 0.2) / 0.4))
    assert model.origin == "as built by the plug-in"
    with pytest.raises(ModelError, match=r"must return a torch\.nn\.Module, it returned dict"):
        loaded(PluginModel(build=dict))
