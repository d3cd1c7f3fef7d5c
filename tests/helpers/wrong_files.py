"""Wrong lines whose fault lies in a file: of a configuration folder, of a dataset, of a checkpoint."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as safetensors

Files = dict[str, str | bytes]
FileLine = tuple[tuple[str, ...], tuple[str, ...], Files]


def config_folder_lines() -> Iterator[FileLine]:
    """YAML of one's own that is no YAML, no choice, or says what nobody may say."""
    model = {
        "name: lenet\nhiden: 5\n": ("model.hiden: there is no such key", "hidden"),
        "name: leent\n": ("there is no model 'leent'", "lenet"),
        "name: [lenet\n": ("does not parse", "mend it"),
        "name: lenet\n\thidden: 5\n": ("does not parse", "mend it"),
        "name: lenet\nhidden: many\n": ("model.hidden: expected a whole number", "'many'"),
        "name: lenet\nhidden: -5\n": ("hidden must be at least 1", "-5"),
        "name: lenet\nhidden: ???\n": ("model.hidden: a value is needed", "type model.hidden="),
        "name: lenet\nhidden: ${oc.env:NOT_THERE}\n": ("model.hidden", "NOT_THERE"),
        "name: lenet\n_target_: os.system\n": ("model._target_: there is no such key",),
        "hidden: 5\n": ("model.name", "type model=NAME"),
        "defaults: [mine]\nname: lenet\n": ("model/mine.yaml includes model/mine.yaml", "take the entry out"),
        "defaults: [not_there]\nname: lenet\n": ("not_there",),
    }
    for text, words in model.items():
        yield ("--config-dir", "mine", "model=mine"), words, {"mine/model/mine.yaml": text}
    circle: Files = {"mine/model/a.yaml": "defaults: [b]\nname: lenet\n", "mine/model/b.yaml": "defaults: [a]\n"}
    yield ("--config-dir", "mine", "model=a"), ("model/a.yaml includes model/b.yaml includes model/a.yaml",), circle
    callbacks = "# @package _global_\nexperiment: {name: isotropy}\nhydra: {callbacks: {x: {_target_: os.system}}}\n"
    yield ("--config-dir", "mine", "experiment=mine"), ("hydra.callbacks",), {"mine/experiment/mine.yaml": callbacks}
    yield ("--config-dir", "absent", "model=mine"), ("--config-dir absent", "no such folder"), {}


def image(text: bool = False, size: int = 8) -> bytes:
    """A grey PNG, or a file that only says so."""
    if text:
        return b"no image at all"
    file = io.BytesIO()
    Image.fromarray(np.zeros((size, size), np.uint8)).save(file, "PNG")
    return file.getvalue()


def data_lines() -> Iterator[FileLine]:
    """Datasets that are not there, or are none."""
    folder = ("dataset=folder", "dataset.channels=1", "dataset.size=28")
    two: Files = {"data/a/1.png": image(), "data/b/1.png": image()}
    yield ("dataset=folder",), ("no image folder is named", "type dataset.root="), {}
    yield (*folder, "dataset.root=absent"), ("absent is no folder", "dataset.root="), {}
    yield (*folder, "dataset.root=data"), ("data is no folder", "dataset.root="), {"data": b""}
    yield (*folder, "dataset.root=data"), ("data",), {"data/readme.txt": b"nothing"}
    yield (*folder, "dataset.root=data"), ("data/a/1.png",), {**two, "data/a/1.png": image(text=True)}
    yield (*folder, "dataset.root=data", "dataset.split=all"), ("type dataset.split=train or dataset.split=test",), {
        "data/train/a/1.png": image(), "data/test/a/1.png": image()
    }  # fmt: skip
    trained = (*folder, "dataset.root=data", "model.classes=2")  # LeNet is
    yield trained, ("data holds no folder `train`", "model.checkpoint="), two
    yield (*folder, "dataset.root=data", "dataset.split=tets"), ("there is no split 'tets'", "test"), two
    yield ("model=lenet_mnist", "run.download=false", "run.data_root=absent"), ("MNIST is not in", "run.data_root="), {}
    for name, title in (("kmnist", "KMNIST"), ("cifar10", "CIFAR10"), ("gtsrb", "GTSRB")):
        line = (
            f"dataset={name}",
            "model=vgg16",
            "model.weights=none",
            "run.download=false",
        )
        yield (
            (*line, f"model.classes={43 if name == 'gtsrb' else 10}", "run.data_root=absent"),
            (f"{title} is not in",),
            {},
        )
    yield ("model=vgg16",), ("imagenet does not exist", "dataset.root=/path/to/imagenet"), {}
    yield ("model=vgg16", "dataset.root=absent"), ("absent does not exist", "dataset.root="), {}


def saved(value: object) -> bytes:
    """What torch.save writes of a value."""
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def checkpoint_lines() -> Iterator[FileLine]:
    """Files of weights that are not there, are none, or are another network's."""
    weights = {"x": torch.zeros(2)}
    files: dict[str, tuple[bytes, tuple[str, ...]]] = {
        "text.pt": (b"no weights", ("text.pt could not be read as weights",)),
        "text.safetensors": (b"no weights", ("text.safetensors could not be read as weights",)),
        "empty.pt": (b"", ("empty.pt could not be read as weights",)),
        "empty.safetensors": (b"", ("empty.safetensors could not be read as weights",)),
        "pickle.pt": (pickle.dumps({"x": print}), ("pickle.pt could not be read as weights",)),
        "other.pt": (saved(weights), ("other.pt", "x")),
        "other.safetensors": (safetensors(weights), ("other.safetensors", "x")),
        "nothing.pt": (saved({}), ("nothing.pt",)),
        "list.pt": (saved([1, 2]), ("list.pt",)),
        "cut.pt": (saved(weights)[:300], ("cut.pt could not be read as weights",)),
    }
    for name, (content, words) in files.items():
        yield (f"model.checkpoint={name}", "run.device=cpu"), words, {name: content}
    yield ("model.checkpoint=absent.pt",), ("absent.pt does not exist", "model.checkpoint must name a file"), {}
    yield ("model.checkpoint=folder",), ("folder is no file", "model.checkpoint must name"), {"folder/x": b""}
    digest = "0" * 64
    yield ("model.checkpoint=other.pt", f"model.sha256={digest}"), ("other.pt has the SHA-256", digest), {
        "other.pt": saved(weights)
    }  # fmt: skip
    yield ("model.checkpoint=other.pt", "model.sha256=12"), ("sha256 must be 64 hexadecimal digits", "'12'"), {}
