"""Files of weights as other people's training wrote them: opened, stripped, chosen between, or refused with all names."""

from __future__ import annotations

import argparse
import collections
import logging
import os
import pathlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from advlab.config import components
from advlab.errors import ArgumentError, ModelError
from advlab.models import only_tensors
from advlab.models.plugin_model import PluginModel
from advlab.store.atomic import write_atomic
from tests.helpers.classifiers import lenet, loaded, same_weights
from tests.helpers.long_cases import one_in

State = dict[str, Tensor]


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def read(path: Path, **keys: Any) -> nn.Module:
    model = components.REGISTRIES["model"].load("lenet")(hidden=20, checkpoint=str(path), **keys)
    return loaded(model).classifier.network


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


#: how frameworks keep the weights `s` of a network; `o` are others of the same shapes, `z` of other shapes
WRAPPED: dict[str, Callable[[State, State, State], Any]] = {
    "lightning": lambda s, o, z: {
        "epoch": 3, "state_dict": prefixed(s, "model."), "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}}],
        "pytorch-lightning_version": "2.4", "hyper_parameters": {"lr": 0.1}, "callbacks": {},
    },
    "lightning net, with a loss of its own": lambda s, o, z: {
        "state_dict": {**prefixed(s, "net."), "loss.weight": torch.ones(10), "accuracy.tp": torch.zeros(10)}
    },
    "net": lambda s, o, z: {"net": s, "acc": 93.1, "epoch": 9},
    "model.state_dict": lambda s, o, z: {"model": {"state_dict": s, "name": "lenet"}},
    "a name with a dot": lambda s, o, z: {"model.state_dict": s},
    "model_state_dict": lambda s, o, z: {"model_state_dict": s, "optimizer_state_dict": {"state": {}, "param_groups": []}},
    "ema alone": lambda s, o, z: {"model_ema": s, "state_dict": z},
    "timm": lambda s, o, z: {"arch": "lenet", "state_dict": s, "state_dict_ema": s, "metric": 3.0},
    "parallel and compiled": lambda s, o, z: {"state_dict": prefixed(s, "module._orig_mod.")},
    "lightning compiled": lambda s, o, z: {"state_dict": prefixed(s, "model._orig_mod.")},
    "compiled inside": lambda s, o, z: {name.replace(".", "._orig_mod.", 1): tensor for name, tensor in s.items()},
    "parallel inside": lambda s, o, z: {name.replace(".", ".module.", 1): tensor for name, tensor in s.items()},
    "deep": lambda s, o, z: {"a": {"b": {"c": {"weights": prefixed(s, "x.y.z.")}}}},
    "beside another network": lambda s, o, z: {"generator": z, "discriminator": s},
    "an accuracy as tensor": lambda s, o, z: {"best": torch.tensor(0.5), "weights": s},
    "numbers as keys": lambda s, o, z: {1: z, 2: s},
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_the_weights_that_fit_are_found(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained = lenet(1)
    content = WRAPPED[name](dict(trained.state_dict()), dict(lenet(2).state_dict()), dict(nn.Linear(3, 4).state_dict()))
    with caplog.at_level(logging.INFO, "advlab"):
        assert same_weights(read(saved(content, tmp_path / "x.pt")), trained)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    if "loss of its own" in name:
        assert "weights: state_dict.net of" in caplog.text
        assert "left out: loss.weight, accuracy.tp" in caplog.text


def test_the_average_of_weights_is_read(tmp_path: Path) -> None:
    trained = lenet(1)
    assert same_weights(read(saved(AveragedModel(trained).state_dict(), tmp_path / "x.pt")), trained)
    save_file(prefixed(dict(trained.state_dict()), "model."), tmp_path / "x.safetensors")
    assert same_weights(read(tmp_path / "x.safetensors"), trained)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_fit_the_plain_one_is_taken_and_the_key_chooses(
    order: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain, averaged = lenet(1), lenet(2)
    items = [("state_dict", plain.state_dict()), ("state_dict_ema", averaged.state_dict())]
    path = saved(dict(items[::order]), tmp_path / "x.pt")
    assert same_weights(read(path), plain)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "state_dict is taken, not state_dict_ema; choose by model.checkpoint_key=state_dict_ema" in line
    assert same_weights(read(path, checkpoint_key="state_dict_ema"), averaged)
    assert same_weights(read(path, checkpoint_key="state_dict"), plain)
    with pytest.raises(ModelError, match=r"x\.pt has no 'state_dict_emma'\. Did you mean state_dict_ema"):
        read(path, checkpoint_key="state_dict_emma")
    with pytest.raises(ArgumentError, match=r"type model\.checkpoint=FILE"):
        components.REGISTRIES["model"].load("lenet")(checkpoint_key="x")


def test_the_key_names_a_prefix_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    student, teacher = lenet(1), lenet(2)
    both = prefixed(dict(teacher.state_dict()), "teacher.") | prefixed(dict(student.state_dict()), "student.")
    path = saved({"model": {"state_dict": both}}, tmp_path / "x.pt")
    assert same_weights(read(path, checkpoint_key="model.state_dict.student"), student)
    assert same_weights(read(path, checkpoint_key="model.state_dict.teacher"), teacher)
    assert not caplog.records
    read(path)
    assert "several weights that fit" in caplog.text


def test_what_fits_nowhere_is_told_by_keys_and_tensors(tmp_path: Path) -> None:
    state = dict(lenet().state_dict())
    state["ip1.weight"] = state["ip1.weight"][:7]
    del state["conv1.bias"]
    path = saved({"epoch": 3, "state_dict": prefixed(state, "model."), "optimizer": {"lr": 0.1}}, tmp_path / "x.pt")
    with pytest.raises(ModelError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} does not fit the network: missing: conv1.bias; of another shape: ip1.weight is (7, 800), not (20, 800) (of "
        "state_dict.model). Is it of another architecture or size? It holds: epoch, state_dict, optimizer"
    )
    with pytest.raises(ModelError, match=r"holds no state dict: .* It holds: epoch, lr"):
        read(saved({"epoch": 3, "lr": 0.1}, path))
    path = saved({"good": lenet().state_dict(), "bad": state}, path)
    with pytest.raises(ModelError, match=r"missing: conv1\.bias.*\(of bad\)"):
        read(path, checkpoint_key="bad")


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc = nn.Flatten(), nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.flat(x))
        return out


def test_a_plug_in_takes_the_key(tmp_path: Path) -> None:
    a, b = Tiny(), Tiny()
    path = saved({"a": a.state_dict(), "b": b.state_dict()}, tmp_path / "x.pt")
    network = loaded(PluginModel(build=Tiny, checkpoint=str(path), checkpoint_key="b")).classifier.network
    assert same_weights(network, b)


class Own(dict[str, Any]):
    """A class of the user's training code."""


OTHERS: dict[str, Callable[[nn.Module], Any]] = {
    "namespace": lambda net: {
        "state_dict": net.state_dict(),
        "args": argparse.Namespace(lr=0.1, path=pathlib.Path("x")),
    },
    "scalar": lambda net: {"state_dict": net.state_dict(), "best": np.float64(93.1), "seen": np.arange(3)},
    "own class": lambda net: {"model": Own(net.state_dict()), "count": collections.Counter(a=1), "config": Own(lr=0.1)},
    "whole network": lambda net: net,
    "whole network inside": lambda net: {"epoch": 3, "net": net, "lambda": print},
}


@pytest.mark.parametrize("name", one_in(3, OTHERS))
def test_the_line_that_is_said_makes_a_file_that_loads(name: str, tmp_path: Path) -> None:
    trained, folder = lenet(1), tmp_path / "it's $1 [x]"
    folder.mkdir()
    path = saved(OTHERS[name](trained), folder / "epoch=3 ü.pt")
    with pytest.raises(ModelError, match="more than tensors are not loaded") as caught:
        read(path)
    command, _, load = (
        str(caught.value).partition("anything of it: ")[2].rpartition(" instead (else")[0].partition("; then type ")
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert same_weights(read(Path(done.stdout.strip())), trained)
    typed = subprocess.run(["bash", "-c", f"printf %s {load}"], capture_output=True, text=True, check=True).stdout
    assert os.path.basename(done.stdout.strip()) in typed


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_run_on_the_way(legacy: bool, tmp_path: Path) -> None:
    class Evil(Payload):
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return write_atomic, (self.mark, b"")

    mark, path = tmp_path / "mark", tmp_path / "x.pt"
    for kind in (Evil, Payload):
        content = {"net": lenet(1).state_dict(), "payload": kind(mark)}
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        code = only_tensors.main([str(path)])
        assert not mark.exists()
        if kind is Evil:
            assert code == 0
            assert same_weights(read(only_tensors.output_path(path)), lenet(1))
        else:  # a module that torch blocks
            assert code == 2
            with pytest.raises(ModelError, match=r"read as weights \([^)]*is blocked\)") as caught:
                read(path)
            assert "weights_only" not in str(caught.value)  # torch recommends to load it unsafely
    assert only_tensors.main([]) == 2
    assert only_tensors.main([str(tmp_path / "nowhere.pt")]) == 2
    assert only_tensors.main([str(saved({"a": 1}, path))]) == 2
