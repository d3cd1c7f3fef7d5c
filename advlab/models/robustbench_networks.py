"""RobustBench's networks by their names on its leaderboards; imports no robustbench itself."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.data.content import Shape
from advlab.errors import MissingPackageError, ModelError, suggest
from advlab.models.library_model import LibraryModel, missing

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import nn

CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}


@dataclass(frozen=True, kw_only=True)
class Robustbench(LibraryModel):
    """A network of RobustBench (Croce et al. 2021) by its name there: `pip install "advlab[robustbench]"`, an old timm with it.

    model=robustbench model.arch=Carmon2019Unlabeled model.threat=Linf; the normalisation is inside the network. Weights are
    read where robustbench keeps them, FOLDER/BENCHMARK/THREAT/ARCH.pt, and fetched to there if run.download=true.

    Attributes:
        arch: the model's ID on the leaderboard, such as Carmon2019Unlabeled.
        weights: published, or none: a checkpoint or a recipe gives them.
        benchmark: the dataset of the leaderboard.
        threat: the threat model of the leaderboard.
        folder: robustbench's model_dir; empty: its default, models/ in the working directory.
    """

    arch: str
    weights: Literal["published", "none"] = "published"
    benchmark: Literal["cifar10", "cifar100", "imagenet"] = "cifar10"
    threat: Literal["Linf", "L2", "corruptions"] = "Linf"
    folder: str = ""

    package: ClassVar[str] = "robustbench"

    @cached_property
    def entry(self) -> dict[str, Any]:
        """What robustbench knows of the network: `model` builds it, `gdrive_id` names its weights.

        Raises:
            ModelError: no leaderboard has it, or another one; near names are offered.
            MissingPackageError: robustbench cannot be imported.
        """
        boards = leaderboards()
        found: dict[str, Any] | None = boards.get((self.benchmark, self.threat), {}).get(self.arch)
        if found is not None:
            return found
        others = [f"model.benchmark={b} model.threat={t}" for (b, t), names in boards.items() if self.arch in names]
        known = boards.get((self.benchmark, self.threat), {})
        hint = f"It is there by {' or '.join(others)}" if others else suggest(self.arch, known)
        raise ModelError(f"robustbench has no network {self.arch!r} for {self.benchmark} and {self.threat}. {hint}")

    @property
    def timm_name(self) -> str:
        """What robustbench calls the network where it registers it with timm."""
        return f"{self.arch.lower().replace('-', '_')}_{self.benchmark}_{self.threat.lower()}"

    def check_name(self) -> None:
        """Refuse a network that robustbench does not have, and those that are torchvision's.

        Raises:
            ModelError: says what to type.
        """
        assert self.entry is not None
        if self.benchmark == "imagenet" and self.arch == "Standard_R50":
            raise ModelError("robustbench's Standard_R50 is torchvision's resnet50: type model=resnet50")

    @property
    def shape(self) -> Shape | None:
        """(3, H, W): of CIFAR, or what the entry says of its preprocessing."""
        size = 32 if self.benchmark.startswith("cifar") else self._sizes[-1]
        return 3, size, size

    @property
    def _sizes(self) -> list[int]:
        """Resized shorter side and crop in pixels, or the size alone."""
        sizes = [int(size) for size in re.findall(r"(?:Res|Crop)(\d+)", str(self.entry.get("preprocessing") or ""))]
        return sizes or [256, 224]

    @property
    def class_count(self) -> int:
        """Number of logits."""
        return CLASSES[self.benchmark]

    @property
    def crop(self) -> float:
        """Share of the resized shorter side that its evaluation protocol keeps."""
        return 1.0 if self.benchmark.startswith("cifar") else self._sizes[-1] / self._sizes[0]

    @property
    def resample(self) -> str:
        """Interpolation of its evaluation protocol."""
        return "bicubic" if "Bicubic" in str(self.entry.get("preprocessing")) else "bilinear"

    def constants(self) -> tuple[list[float], list[float]]:
        """Nothing: the normalisation is inside the network."""
        return [], []

    def network(self) -> nn.Module:
        """The network without weights."""
        build, name = self.entry["model"], self.timm_name
        import timm  # comes with robustbench; with torch, which describing a model must not wait for

        network: nn.Module
        if timm.is_model(name):
            network = timm.create_model(name, pretrained=False, num_classes=self.class_count)
        else:
            network = build()
        return network


def leaderboards() -> dict[tuple[str, str], dict[str, Any]]:
    """(dataset, threat model) -> name -> what robustbench knows of the network.

    Raises:
        MissingPackageError: it cannot be imported.
    """
    zoo = part_of_robustbench("model_zoo.models").model_dicts
    return {
        (benchmark.value, threat.value): dict(names) for benchmark, of in zoo.items() for threat, names in of.items()
    }


def part_of_robustbench(name: str) -> Any:
    """A module of robustbench, imported without the rest of it.

    The package itself imports all of its evaluation first, whose AutoAttack is not on PyPI by the name that it is imported by,
    and pkg_resources, which setuptools has no longer.

    Raises:
        MissingPackageError: something that the module needs is missing.
    """
    found = importlib.util.find_spec("robustbench") if "robustbench" not in sys.modules else None
    stand_in = None
    if found is not None and found.submodule_search_locations:
        stand_in = types.ModuleType("robustbench")
        stand_in.__path__ = list(found.submodule_search_locations)
        sys.modules["robustbench"] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # timm has moved what robustbench imports
            return importlib.import_module(f"robustbench.{name}")
    except ImportError as error:
        raise MissingPackageError(missing("robustbench", error)) from error
    finally:
        if stand_in is not None:
            sys.modules.pop("robustbench", None)
