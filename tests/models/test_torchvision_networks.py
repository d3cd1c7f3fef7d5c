"""torchvision's weights: where torch.hub looks, checked, under their names, with their evaluation protocols."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models

from advlab.errors import ModelError
from advlab.models import torchvision_networks
from advlab.store.sealed import sha256_file
from tests.helpers.classifiers import loaded, same_weights


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
        loaded(torchvision_networks.squeezenet1_1(), shape=(3, 64, 64))
    digest = sha256_file(path)
    model = loaded(torchvision_networks.squeezenet1_1(sha256=digest), shape=(3, 64, 64))
    assert model.origin == path.name
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.classifier(x), network(normalised(x)), rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="it is not the file that was meant"):
        loaded(torchvision_networks.squeezenet1_1(sha256="0" * 64), shape=(3, 64, 64))
    renamed = path.rename(path.with_name(f"squeezenet1_1-{digest[:8]}.pth"))
    assert renamed.is_file()
    with pytest.raises(ModelError, match=r"squeezenet1_1-b8a52dc0\.pth is missing and run\.download=false"):
        loaded(torchvision_networks.squeezenet1_1(), shape=(3, 64, 64))


@pytest.mark.parametrize("download", [False, True])
def test_missing_published_weights_name_address_and_place(hub: Path, download: bool) -> None:
    with pytest.raises(ModelError, match=r"https://download\.pytorch\.org/models/alexnet-owt-7be5be79\.pth") as caught:
        loaded(torchvision_networks.alexnet(), shape=(3, 224, 224), download=download)
    assert str(hub / "alexnet-owt-7be5be79.pth") in str(caught.value)


def test_unknown_published_weights() -> None:
    with pytest.raises(ModelError, match=r"resnet18 has no weights 'IMAGENET1K_V7'. Did you mean IMAGENET1K_V1\?"):
        loaded(torchvision_networks.resnet18(weights="IMAGENET1K_V7"), shape=(3, 32, 32))


def test_a_published_file_may_lie_anywhere(hub: Path, tmp_path: Path) -> None:
    """As a checkpoint it is normalised as in its place: the model is the same."""
    path, network = place(hub, "squeezenet1_1")
    elsewhere = path.rename(tmp_path / "mine.pth")
    model = loaded(torchvision_networks.squeezenet1_1(checkpoint=str(elsewhere)), shape=(3, 64, 64))
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.classifier(x), network(normalised(x)), rtol=1e-4, atol=1e-5)
    plain = loaded(torchvision_networks.squeezenet1_1(checkpoint=str(elsewhere), weights="none"), shape=(3, 64, 64))
    torch.testing.assert_close(plain.classifier(x), network(x), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_other_classes(tmp_path: Path) -> None:
    torch.save(get_model("squeezenet1_1", weights=None, num_classes=7).state_dict(), tmp_path / "x.pt")
    model = torchvision_networks.squeezenet1_1(checkpoint=str(tmp_path / "x.pt"), classes=7)
    assert loaded(model, shape=(3, 64, 64)).classifier.classes == 7
    with pytest.raises(ModelError, match=r"of another shape: classifier\.1\.bias is \(7,\), not \(1000,\)"):
        loaded(torchvision_networks.squeezenet1_1(checkpoint=str(tmp_path / "x.pt")), shape=(3, 64, 64))
    with pytest.raises(ValueError, match=r"type model\.weights=none for classes=7"):
        torchvision_networks.squeezenet1_1(classes=7)


def test_old_names_of_densenets(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = get_model("densenet121", weights=None, num_classes=3).eval()
    old = {
        name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace("conv2.", "conv.2."): v
        for name, v in network.state_dict().items()
    }  # fmt: skip
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    model = torchvision_networks.densenet121(checkpoint=str(tmp_path / "x.pt"), classes=3)
    for state in (old, network.state_dict()):
        torch.save(state, tmp_path / "x.pt")
        assert same_weights(loaded(model, shape=(3, 32, 32)).classifier.network, network)


def test_auxiliary_heads_are_left_out(hub: Path) -> None:
    path, network = place(hub, "googlenet", aux_logits=True, transform_input=True, init_weights=False)
    assert any(name.startswith("aux1") for name in network.state_dict())
    model = loaded(torchvision_networks.googlenet(sha256=sha256_file(path)), shape=(3, 64, 64))
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.classifier(x), network(normalised(x)), rtol=1e-3, atol=1e-5)
    assert not any("aux" in name for name, _ in model.classifier.named_parameters())


def test_names_are_torchvisions_classifiers() -> None:
    assert list(torchvision_networks.NAMES) == list_models(module=torchvision.models)


@pytest.mark.parametrize("arch", torchvision_networks.NAMES)
def test_protocols_are_those_of_the_weights(arch: str) -> None:
    weights = get_model_weights(arch)
    first = weights.__members__.get("IMAGENET1K_V1", weights.DEFAULT)
    for entry in (first, *weights):
        transforms = entry.transforms()
        crop, resize = transforms.crop_size[0], transforms.resize_size[0]
        model = getattr(torchvision_networks, arch)(**({} if entry is first else {"weights": entry.name}))
        assert model.entry() is entry
        assert model.shape == (3, crop, crop)
        assert model.crop == pytest.approx(crop / resize, rel=1e-12)
        assert model.resample == transforms.interpolation.value
        if entry is first:
            assert torchvision_networks.PROTOCOLS.get(arch, (224, 256)) == (crop, resize)
        assert re.search(r"-[0-9a-f]{8,}\.pth$", entry.url)  # the digest that is checked


def test_transformers_are_built_for_their_weights() -> None:
    network: Any = torchvision_networks.vit_b_16(weights="IMAGENET1K_SWAG_E2E_V1").network()
    assert network.image_size == 384
    small: Any = torchvision_networks.vit_b_16(weights="none", size=32).network()
    assert small.image_size == 32
