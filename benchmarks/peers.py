"""Other libraries' attacks behind one call each: images and labels in, adversarial images out, as fast as they go.

Longer than other files: a class a library, each of a few lines, that are read side by side.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from advlab.store.sealed import sha256

FOLDER = "PEERS_DIR"  # environment variable: the folder that holds peers which are repositories


class Missing(Exception):
    """A peer is not there; the message says why."""


class Peer:
    """One library; the model is in evaluation mode, its parameters take no gradients, images are in [0, 1].

    Class attributes:
        name: in the table.
        package: to import, with its version; or
        folder: under the folder that PEERS_DIR names.
        limit: images it is measured on at most, because it is slow.
    """

    name: ClassVar[str]
    package: ClassVar[str] = ""
    folder: ClassVar[str] = ""
    limit: ClassVar[int] = 200

    def __init__(self) -> None:
        if self.package:
            try:
                self.version = importlib.metadata.version(self.package)
            except importlib.metadata.PackageNotFoundError as error:
                raise Missing(f"not run: {self.package} is not installed (pip install advlab[peers])") from error
        else:
            root = os.environ.get(FOLDER, "")
            self.path = Path(root) / self.folder
            if not root or not self.path.is_dir():
                raise Missing(f"not run: {FOLDER} names no folder that holds the repository {self.folder}")
            self.version = revision(self.path)
        try:
            self.load()
        except (ImportError, AttributeError, OSError) as error:
            raise Missing(f"not run: {self.name} does not load: {type(error).__name__}: {error}") from error

    def load(self) -> None:
        """Import what is needed.

        Raises:
            ImportError: it does not load here.
        """


class Foolbox(Peer):
    name, package = "foolbox", "foolbox"

    def load(self) -> None:
        self.module = importlib.import_module("foolbox")

    def deepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        attack = self.module.attacks.L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02)
        return attack(self.module.PyTorchModel(model, bounds=(0, 1), device=x.device), x, y, epsilons=None)[1]


class Torchattacks(Peer):
    name, package, limit = "torchattacks", "torchattacks", 50

    def load(self) -> None:
        self.module = importlib.import_module("torchattacks")

    def deepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.module.DeepFool(model, steps=50, overshoot=0.02)(x, y)


class Art(Peer):
    name, package, limit = "ART", "adversarial-robustness-toolbox", 100

    def load(self) -> None:
        self.evasion = importlib.import_module("art.attacks.evasion")
        self.classifiers = importlib.import_module("art.estimators.classification")

    def _classifier(self, model: nn.Module, x: Tensor) -> Any:
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
        return self.classifiers.PyTorchClassifier(
            model, loss=nn.CrossEntropyLoss(), input_shape=tuple(x.shape[1:]), nb_classes=classes, clip_values=(0.0, 1.0),
            device_type="gpu" if x.device.type == "cuda" else "cpu",
        )  # fmt: skip

    def deepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        attack = self.evasion.DeepFool(
            self._classifier(model, x), max_iter=50, epsilon=0.02, batch_size=len(x), verbose=False
        )
        return torch.from_numpy(attack.generate(x.cpu().numpy())).to(x)

    def fgs(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Smallest of twenty epsilons."""
        attack = self.evasion.FastGradientMethod(
            self._classifier(model, x), eps=1.0, eps_step=0.05, minimal=True, batch_size=256
        )
        return torch.from_numpy(attack.generate(x.cpu().numpy(), y.cpu().numpy())).to(x)

    def uap(self, model: nn.Module, x: Tensor, epsilon: float, passes: int) -> Tensor:
        inner = {"max_iter": 10, "epsilon": 0.02, "verbose": False}
        attack = self.evasion.UniversalPerturbation(
            self._classifier(model, x), attacker="deepfool", attacker_params=inner, delta=0.2, max_iter=passes, eps=epsilon,
            verbose=False,
        )  # fmt: skip
        attack.generate(x.cpu().numpy())
        return torch.from_numpy(attack.noise[0]).to(x)


class AdvLib(Peer):
    name, folder, limit = "adv-lib", "adversarial-library", 1000

    def load(self) -> None:
        if (
            "visdom" not in sys.modules and importlib.util.find_spec("visdom") is None
        ):  # it is imported for plots that nobody asks for
            sys.modules.setdefault("visdom", types.ModuleType("visdom"))
        with on_path(self.path):
            self.module = importlib.import_module("adv_lib.attacks")
            self.version = importlib.import_module("adv_lib").__version__

    def deepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.module.df(model, x, y, steps=50, overshoot=0.02, return_unsuccessful=True)

    def ddn(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Its 100 steps, without rounding to 256 levels, which would lengthen what it finds."""
        return self.module.ddn(model, x, y, steps=100, levels=None)

    def superdeepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.module.sdf(model, x, y)


class SuperDeepFool(Peer):
    name, folder = "SuperDeepFool", "SuperDeepFool"

    def load(self) -> None:
        if torch.cuda.device_count() != 1:  # it divides the batch by the number of devices
            raise ImportError("its code needs exactly one CUDA device")
        with on_path(self.path):
            self.module = importlib.import_module("superdeepfool.attacks.SuperDeepFool")

    def superdeepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        attack = self.module.SuperDeepFool(model, search_iter=10)
        return torch.cat([attack.forward(x[i : i + 1], y[i : i + 1], verbose=False) for i in range(len(x))])


class DeepFoolLTS4(Peer):
    name, folder = "LTS4", "DeepFool"

    def load(self) -> None:
        gradcheck = importlib.import_module("torch.autograd.gradcheck")
        patch = {} if hasattr(gradcheck, "zero_gradients") else {"zero_gradients": zero_gradients}
        with changed(gradcheck, **patch):  # torch has no longer what it imports
            self.module = from_file("lts4_deepfool", self.path / "Python" / "deepfool.py")

    def deepfool(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with contextlib.redirect_stdout(io.StringIO()):
            return torch.cat([self.module.deepfool(image, model)[4].detach() for image in x])


class UniversalLTS4(Peer):
    name, folder, limit = "LTS4", "universal", 1000

    def load(self) -> None:
        path = self.path / "python"
        inner = from_file("lts4_universal_deepfool", path / "deepfool.py")
        before = sys.modules.get("deepfool")
        sys.modules["deepfool"] = inner  # the name under which it imports it
        try:
            self.module = from_file("lts4_universal", path / "universal_pert.py")
        finally:
            sys.modules.pop("deepfool")
            if before is not None:
                sys.modules["deepfool"] = before

    def uap(self, model: nn.Module, x: Tensor, epsilon: float, passes: int) -> Tensor:
        """Its algorithm is numpy over two functions, which TensorFlow gives in its demonstration and torch here."""

        def logits(images: Any) -> Any:
            with torch.no_grad():
                return model(torch.as_tensor(images).to(x)).cpu().numpy()

        def gradients(images: Any, classes: Any) -> Any:
            count = min(10, len(classes))  # as many as it looks at
            batch = torch.as_tensor(images).to(x).repeat(count, 1, 1, 1).requires_grad_()
            own = model(batch)[range(count), [int(k) for k in classes[:count]]].sum()
            return torch.autograd.grad(own, batch)[0][:, None].cpu().numpy()

        numbers = {"int": int, "float": float}  # numpy has no longer what it calls
        with changed(np, **numbers), contextlib.redirect_stdout(io.StringIO()):
            np.random.seed(0)  # noqa: NPY002
            v = self.module.universal_perturbation(
                x.cpu().numpy().copy(), logits, gradients, delta=0.2, max_iter_uni=passes, xi=epsilon
            )
        return torch.as_tensor(np.asarray(v)).to(x).reshape(x.shape[1:])


def zero_gradients(x: Tensor) -> None:
    if x.grad is not None:
        x.grad.zero_()


def from_file(name: str, path: Path) -> types.ModuleType:
    """A module of a repository that is no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def revision(path: Path) -> str:
    """Commit of a checkout, or a digest of the sources where there is no repository around them."""
    done = subprocess.run(
        ["git", "-C", str(path), "rev-parse", "--short=10", "--show-prefix", "HEAD"], capture_output=True, text=True, check=False
    )  # fmt: skip
    lines = done.stdout.split("\n")
    if done.returncode == 0 and len(lines) > 1 and not lines[0]:
        return lines[1]
    sources = sorted(path.rglob("*.py"))
    return "sources " + sha256(b"".join(source.read_bytes() for source in sources))[:10]


@contextlib.contextmanager
def on_path(path: Path) -> Iterator[None]:
    """`path` is searched first for modules."""
    sys.path.insert(0, str(path))
    try:
        yield
    finally:
        sys.path.remove(str(path))


@contextlib.contextmanager
def changed(module: Any, **values: Any) -> Iterator[None]:
    """Names of a module hold other values, or any at all, while the block runs."""
    absent = object()
    before = {name: getattr(module, name, absent) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is absent:
                delattr(module, name)
            else:
                setattr(module, name, value)
