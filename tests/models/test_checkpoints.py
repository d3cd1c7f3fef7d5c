"""Weights from files: every format, every misfit named, nothing executed, and torchvision's where torch.hub looks."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models

from advlab import components
from advlab.artifacts import ArtifactStore
from advlab.data.sources import LoadOptions
from advlab.errors import ModelError
from advlab.models import torchvision_nets
from advlab.models.checkpoints import load_state, read_state
from advlab.models.load import Loaded, load_classifier
from advlab.models.zoo import Foreign, Model
from advlab.storage import sha256_file
from advlab.training.recipe import Recipe


def lenet(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return components.MODELS.load("lenet")(hidden=20).network()


def loaded(model: Model, *, shape: tuple[int, int, int] = (1, 28, 28), recipe: Any = None, **keys: Any) -> Loaded:
    options: dict[str, Any] = {
        "train_data": lambda: pytest.fail("nothing is to be trained"), "artifacts": ArtifactStore(Path("."), writes=False),
        "device": torch.device("cpu"), "seed": 0, "download": False,
    }  # fmt: skip
    return load_classifier("net", model, recipe or components.Nothing(), shape=shape, **{**options, **keys})


def same(network: nn.Module, other: nn.Module) -> bool:
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


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
    found = loaded(components.MODELS.load("lenet")(hidden=20, checkpoint=str(path), sha256=sha256_file(path).upper()))
    assert same(found.classifier.network, trained)
    assert found.origin == str(path)
    assert not found.classifier.training
    x = torch.rand(2, 1, 28, 28)
    assert torch.equal(found.classifier(x), trained.eval()(x))


def test_mean_and_std_come_from_the_configuration(tmp_path: Path) -> None:
    trained, path = lenet(1), tmp_path / "x.pt"
    torch.save(trained.state_dict(), path)
    found = loaded(components.MODELS.load("lenet")(hidden=20, checkpoint=str(path), mean=[0.1], std=[0.3]))
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(found.classifier(x), trained.eval()((x - 0.1) / 0.3))


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
    found = loaded(Foreign(build=kind, checkpoint=str(path)))
    assert same(found.classifier.network, trained)


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
    from safetensors.torch import save_model

    trained, path = Tied(), tmp_path / "x.safetensors"
    save_model(trained, str(path))
    assert len(read_state(path)) < len(trained.state_dict())
    assert same(loaded(Foreign(build=Tied, checkpoint=str(path))).classifier.network, trained)
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
        loaded(components.MODELS.load("lenet")(checkpoint=str(tmp_path / "nowhere.pt")))
    with pytest.raises(ModelError, match="does not exist"):
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


# trained here


def test_our_own_weights_as_a_checkpoint(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    options = LoadOptions(tmp_path, False, store)
    digits = components.DATASETS.load("digits")()
    recipe = Recipe(name="short", max_steps=3, batch_size=16, normalise="mean_image", lr=1e-6)
    model = components.MODELS.load("lenet")(hidden=20)
    calls: list[int] = []

    def data() -> Any:
        calls.append(1)
        return digits.load("train", "digits", options)

    first = loaded(model, recipe=recipe, train_data=data, artifacts=store)
    again = loaded(model, recipe=recipe, train_data=data, artifacts=store)
    assert first.classifier.digest() == again.classifier.digest()
    assert first.origin.startswith("trained by the recipe short")
    (path,) = (tmp_path / "artifacts").rglob("arrays.safetensors")
    brought = loaded(components.MODELS.load("lenet")(hidden=20, checkpoint=str(path)))
    x = digits.load("test", "digits", options).images(torch.arange(20))
    assert torch.equal(brought.classifier(x), first.classifier(x))
    assert brought.classifier.digest() == first.classifier.digest()
    other = loaded(components.MODELS.load("lenet")(hidden=20, checkpoint=str(path), mean=[0.5], std=[1.0]))
    assert not torch.equal(other.classifier(x), first.classifier(x))


def test_training_that_diverges_leaves_no_weights(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    digits = components.DATASETS.load("digits")()
    recipe = Recipe(name="wild", max_steps=5, batch_size=16, normalise="mean_image", lr=1e9)
    with pytest.raises(ModelError, match=r"training net failed: .*wild.*lower recipe\.lr"):
        loaded(
            components.MODELS.load("lenet")(hidden=20), recipe=recipe, artifacts=store,
            train_data=lambda: digits.load("train", "digits", LoadOptions(tmp_path, False, store)),
        )  # fmt: skip
    assert not list((tmp_path / "artifacts").rglob("*.safetensors"))


def test_no_weights_and_no_recipe() -> None:
    with pytest.raises(
        ModelError, match=r"has no weights and no recipe to train it: .*model\.checkpoint=.*recipe=NAME"
    ):
        loaded(components.MODELS.load("lenet")())


def test_a_plug_ins_own_weights_and_constants() -> None:
    network = Wrapped()
    found = loaded(Foreign(build=lambda: network, mean=[0.2], std=[0.4], declared_classes=10))
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(found.classifier(x), network((x - 0.2) / 0.4))
    assert found.origin == "as built by the plug-in"
    with pytest.raises(ModelError, match=r"must return a torch\.nn\.Module, it returned dict"):
        loaded(Foreign(build=dict))


# torchvision


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where torch.hub looks, and no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def refuse(url: str, *_: Any, **__: Any) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "torch" / "hub" / "checkpoints"


def place(hub: Path, arch: str, **keys: Any) -> tuple[Path, nn.Module]:
    """Random weights of a network, called as the published ones."""
    torch.manual_seed(4)
    network = get_model(arch, weights=None, **keys)
    url = get_model_weights(arch)["IMAGENET1K_V1"].url
    hub.mkdir(parents=True, exist_ok=True)
    path = hub / url.rsplit("/", 1)[1]
    torch.save(network.state_dict(), path)
    return path, network.eval()


def normalised(x: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def test_published_weights_are_checked(hub: Path) -> None:
    path, network = place(hub, "squeezenet1_1")
    with pytest.raises(ModelError, match=r"is not the published file: .* does not begin with b8a52dc0.*model\.sha256="):
        loaded(torchvision_nets.squeezenet1_1(), shape=(3, 64, 64))
    digest = sha256_file(path)
    found = loaded(torchvision_nets.squeezenet1_1(sha256=digest), shape=(3, 64, 64))
    assert found.origin == path.name
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(found.classifier(x), network(normalised(x)), rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="it is not the file that was meant"):
        loaded(torchvision_nets.squeezenet1_1(sha256="0" * 64), shape=(3, 64, 64))
    renamed = path.rename(path.with_name(f"squeezenet1_1-{digest[:8]}.pth"))
    assert renamed.is_file()
    with pytest.raises(ModelError, match=r"squeezenet1_1-b8a52dc0\.pth is missing and run\.download=false"):
        loaded(torchvision_nets.squeezenet1_1(), shape=(3, 64, 64))


@pytest.mark.parametrize("download", [False, True])
def test_missing_published_weights_name_address_and_place(hub: Path, download: bool) -> None:
    with pytest.raises(ModelError, match=r"https://download\.pytorch\.org/models/alexnet-owt-7be5be79\.pth") as caught:
        loaded(torchvision_nets.alexnet(), shape=(3, 224, 224), download=download)
    assert str(hub / "alexnet-owt-7be5be79.pth") in str(caught.value)


def test_unknown_published_weights() -> None:
    with pytest.raises(ModelError, match=r"resnet18 has no weights 'IMAGENET1K_V7'. Did you mean IMAGENET1K_V1\?"):
        loaded(torchvision_nets.resnet18(weights="IMAGENET1K_V7"), shape=(3, 32, 32))


def test_a_published_file_may_lie_anywhere(hub: Path, tmp_path: Path) -> None:
    """As a checkpoint it is normalised as in its place: the model is the same."""
    path, network = place(hub, "squeezenet1_1")
    elsewhere = path.rename(tmp_path / "mine.pth")
    found = loaded(torchvision_nets.squeezenet1_1(checkpoint=str(elsewhere)), shape=(3, 64, 64))
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(found.classifier(x), network(normalised(x)), rtol=1e-4, atol=1e-5)
    plain = loaded(torchvision_nets.squeezenet1_1(checkpoint=str(elsewhere), weights="none"), shape=(3, 64, 64))
    torch.testing.assert_close(plain.classifier(x), network(x), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_other_classes(tmp_path: Path) -> None:
    torch.save(get_model("squeezenet1_1", weights=None, num_classes=7).state_dict(), tmp_path / "x.pt")
    model = torchvision_nets.squeezenet1_1(checkpoint=str(tmp_path / "x.pt"), classes=7)
    assert loaded(model, shape=(3, 64, 64)).classifier.classes == 7
    with pytest.raises(ModelError, match=r"of another shape: classifier\.1\.bias is \(7,\), not \(1000,\)"):
        loaded(torchvision_nets.squeezenet1_1(checkpoint=str(tmp_path / "x.pt")), shape=(3, 64, 64))
    with pytest.raises(ValueError, match=r"type model\.weights=none for classes=7"):
        torchvision_nets.squeezenet1_1(classes=7)


def test_old_names_of_densenets(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = get_model("densenet121", weights=None, num_classes=3).eval()
    old = {
        name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace("conv2.", "conv.2."): v
        for name, v in network.state_dict().items()
    }  # fmt: skip
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    model = torchvision_nets.densenet121(checkpoint=str(tmp_path / "x.pt"), classes=3)
    for state in (old, network.state_dict()):
        torch.save(state, tmp_path / "x.pt")
        assert same(loaded(model, shape=(3, 32, 32)).classifier.network, network)


def test_auxiliary_heads_are_left_out(hub: Path) -> None:
    path, network = place(hub, "googlenet", aux_logits=True, transform_input=True, init_weights=False)
    assert any(name.startswith("aux1") for name in network.state_dict())
    found = loaded(torchvision_nets.googlenet(sha256=sha256_file(path)), shape=(3, 64, 64))
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(found.classifier(x), network(normalised(x)), rtol=1e-3, atol=1e-5)
    assert not any("aux" in name for name, _ in found.classifier.named_parameters())


def test_names_are_torchvisions_classifiers() -> None:
    assert list(torchvision_nets.NAMES) == list_models(module=torchvision.models)


@pytest.mark.parametrize("arch", torchvision_nets.NAMES)
def test_protocols_are_those_of_the_weights(arch: str) -> None:
    weights = get_model_weights(arch)
    first = weights.__members__.get("IMAGENET1K_V1", weights.DEFAULT)
    for entry in (first, *weights):
        transforms = entry.transforms()
        crop, resize = transforms.crop_size[0], transforms.resize_size[0]
        model = getattr(torchvision_nets, arch)(**({} if entry is first else {"weights": entry.name}))
        assert model.entry() is entry
        assert model.shape == (3, crop, crop)
        assert model.crop == pytest.approx(crop / resize, rel=1e-12)
        assert model.resample == transforms.interpolation.value
        if entry is first:
            assert torchvision_nets.PROTOCOLS.get(arch, (224, 256)) == (crop, resize)
        assert re.search(r"-[0-9a-f]{8,}\.pth$", entry.url)  # the digest that is checked


def test_transformers_are_built_for_their_weights() -> None:
    network: Any = torchvision_nets.vit_b_16(weights="IMAGENET1K_SWAG_E2E_V1").network()
    assert network.image_size == 384
    assert torchvision_nets.vit_b_16(weights="none", size=32).network().image_size == 32  # type: ignore[union-attr]
