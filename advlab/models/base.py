"""What every model of a configuration has: parameters of its weights and its input. Imports no torch."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Gt

from advlab.config.ranges import InRange
from advlab.data.content import Shape
from advlab.errors import ArgumentError, ModelError

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import nn

#: what is wrong with a network that is no function of the image alone (`loading_check`) -> how it is called beside a claim
FAULTS = {
    "training": "in training mode",
    "noisy": "noisy",
    "batch": "dependent on the batch",
    "squashed": "squashed to [0, 1]",
    "unseeded": "not repeatable",
}
Fault = Literal["training", "noisy", "batch", "squashed", "unseeded"]


def caution_text(name: str, faults: Iterable[str]) -> str:
    """What stands beside every claim about a network that is measured in spite of its faults.

    >>> caution_text("mlp", ["noisy", "batch"])
    'mlp is noisy and dependent on the batch'
    """
    return f"{name} is {' and '.join(FAULTS[fault] for fault in faults)}"


@dataclass(frozen=True, kw_only=True)
class Model(InRange, ABC):
    """A network and where its weights come from: parameters common to all.

    Attributes:
        checkpoint: a file of weights (safetensors, or torch.save of a state dict, also inside other mappings); empty:
            trained by the recipe here, or the published weights.
        checkpoint_key: dotted path of the state dict in the checkpoint, with the prefix of its names, such as
            state_dict_ema; empty: what fits the network exactly, the plain weights before averaged ones.
        sha256: the checkpoint's digest, checked when given.
        mean, std: of the input normalisation with a checkpoint, in [0, 1] units, one number or one a channel; empty:
            those in the checkpoint, those of the published weights that the model names, or 0 and 1.
        allow: faults with which the network is measured nonetheless: modules that stay in training mode, noise, statistics
            of the batch, outputs squashed to [0, 1], a factory that gives other weights for the same seed.
    """

    checkpoint: str = ""
    checkpoint_key: str = ""
    sha256: str = ""
    mean: list[float] = field(default_factory=list)
    std: list[Annotated[float, Gt(0)]] = field(default_factory=list)
    allow: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse values out of range and what is no digest, and make the checkpoint's path absolute.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise ArgumentError(f"sha256 must be 64 hexadecimal digits, got {self.sha256!r}")
        if self.checkpoint_key and not self.checkpoint:
            raise ArgumentError(
                "checkpoint_key says which weights of a checkpoint are meant: type model.checkpoint=FILE, too"
            )
        if self.checkpoint:  # archived whole, so that a run can be resumed from any folder
            object.__setattr__(self, "checkpoint", os.path.abspath(os.path.expanduser(self.checkpoint)))

    def check_files(self) -> None:
        """Refuse a checkpoint that is not there, before torch is loaded to read it.

        Raises:
            ModelError: names the file.
        """
        if self.checkpoint:
            existing_file(Path(self.checkpoint))

    @property
    @abstractmethod
    def shape(self) -> Shape | None:
        """(C, H, W) of the input; None when any will do."""

    @property
    @abstractmethod
    def class_count(self) -> int:
        """Number of logits; 0 when it is known only after building."""

    @abstractmethod
    def network(self) -> nn.Module:
        """The network without trained weights, taking normalised input."""

    @property
    def crop(self) -> float:
        """Share of the shorter side that its evaluation protocol keeps."""
        return 1.0

    @property
    def resample(self) -> str:
        """Interpolation of its evaluation protocol."""
        return "bilinear"

    @property
    def trainable(self) -> bool:
        """Whether a recipe makes its weights when no checkpoint is given."""
        return True


def existing_file(path: Path) -> Path:
    """The path of a file of weights.

    Raises:
        ModelError: there is none.
    """
    if not os.path.isfile(path):
        fault = "is no file" if os.path.exists(path) else "does not exist"
        raise ModelError(f"{path} {fault}: model.checkpoint must name a file of weights")
    return path
