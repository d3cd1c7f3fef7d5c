"""The models that a configuration can name, as parameters; torch is imported only when one is built."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """A network and where its weights come from: parameters common to all.

    Attributes:
        checkpoint: a file of weights (safetensors, or torch.save of a state dict); empty: trained by the recipe here,
            or the published weights.
        sha256: the checkpoint's digest, checked when given.
        mean, std: of the input normalisation with a checkpoint, in [0, 1] units, one number or one a channel; empty:
            those in the checkpoint, those of the published weights that the model names, or 0 and 1.
    """

    checkpoint: str = ""
    sha256: str = ""
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field.
        """
        if self.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits, got {self.sha256!r}")
        if self.checkpoint:  # archived whole, so that a run can be resumed from any folder
            object.__setattr__(self, "checkpoint", os.path.abspath(os.path.expanduser(self.checkpoint)))
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be above 0, got {self.std}")

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


@dataclass(frozen=True, kw_only=True)
class BuiltIn(Model):
    """A network defined here.

    Attributes:
        input: channels, height and width of the images.
        classes: number of logits.
    """

    input: list[int] = field(default_factory=lambda: [3, 32, 32])
    classes: int = 10

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field.
        """
        super().__post_init__()
        if len(self.input) != 3 or any(n < 1 for n in self.input):
            raise ValueError(f"input must be [channels,height,width], all above 0, got {self.input}")
        if self.classes < 2:
            raise ValueError(f"classes must be at least 2, got {self.classes}")

    @property
    def shape(self) -> Shape | None:
        """(C, H, W)."""
        return self.input[0], self.input[1], self.input[2]

    @property
    def class_count(self) -> int:
        """Number of logits."""
        return self.classes


@dataclass(frozen=True, kw_only=True)
class LeNet(BuiltIn):
    """Caffe's LeNet, 20-50-500-10 (LeCun et al. 1998 as in BVLC/caffe; gunther2017, jetley2018)."""

    input: list[int] = field(default_factory=lambda: [1, 28, 28])
    hidden: int = 500  # units of ip1

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.lenet import LeNet as Network

        return Network(input_shape=self.shape or (1, 28, 28), classes=self.classes, hidden=self.hidden)


@dataclass(frozen=True, kw_only=True)
class NiN(BuiltIn):
    """Network-in-Network (Lin et al. 2014; jetley2018)."""

    dropout: float = 0.5

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.nin import NiN as Network

        return Network(input_shape=self.shape or (3, 32, 32), classes=self.classes, dropout=self.dropout)


@dataclass(frozen=True, kw_only=True)
class Ciresan(BuiltIn):
    """One column of Ciresan et al. 2012 for traffic signs, scaled tanh; 1,543,443 parameters (aghdam2017)."""

    input: list[int] = field(default_factory=lambda: [3, 48, 48])
    classes: int = 43

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.ciresan import Ciresan as Network

        return Network(input_shape=self.shape or (3, 48, 48), classes=self.classes)


@dataclass(frozen=True, kw_only=True)
class Aghdam(Ciresan):
    """Aghdam et al. 2015: Ciresan's column with Leaky ReLU and two groups; 1,123,443 parameters (aghdam2017)."""

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.ciresan import Aghdam as Network

        return Network(input_shape=self.shape or (3, 48, 48), classes=self.classes)


@dataclass(frozen=True, kw_only=True)
class MLP(BuiltIn):
    """Fully connected network (barati2021: 784-512-512-10)."""

    input: list[int] = field(default_factory=lambda: [1, 28, 28])
    hidden: list[int] = field(default_factory=lambda: [512, 512])
    activation: str = "relu"  # or tanh

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.mlp import MLP as Network

        return Network(
            input_shape=self.shape or (1, 28, 28), classes=self.classes, hidden=self.hidden, activation=self.activation
        )


@dataclass(frozen=True, kw_only=True)
class CifarAlexNet(BuiltIn):
    """AlexNet for 32x32 images (jetley2018, figure 5)."""

    dropout: float = 0.0

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.cifar import CifarAlexNet as Network

        return Network(input_shape=self.shape or (3, 32, 32), classes=self.classes, dropout=self.dropout)


@dataclass(frozen=True, kw_only=True)
class CifarVGG(BuiltIn):
    """Three blocks of two convolutions with batch norm: the CIFAR network for machines without a GPU."""

    widths: list[int] = field(default_factory=lambda: [32, 64, 128])  # channels of the blocks

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models.networks.cifar import CifarVGG as Network

        return Network(input_shape=self.shape or (3, 32, 32), classes=self.classes, widths=self.widths)


@dataclass(frozen=True, kw_only=True)
class Foreign(Model):
    """A user's own network, registered by a plug-in; its factory and options are not archived as text but by name."""

    build: Callable[[], Any] = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    declared_shape: Shape | None = None
    declared_classes: int = 0
    declared_crop: float = 1.0
    trained: bool = True

    def plain(self) -> dict[str, Any]:
        """What is archived: the options of the user's factory, and the parameters common to all models."""
        common = {"checkpoint": self.checkpoint, "sha256": self.sha256, "mean": self.mean, "std": self.std}
        return {**self.options, **common}

    @property
    def crop(self) -> float:
        """Share of the shorter side that its evaluation protocol keeps."""
        return self.declared_crop

    @property
    def trainable(self) -> bool:
        """Whether a recipe makes its weights."""
        return not self.trained

    @property
    def shape(self) -> Shape | None:
        """(C, H, W)."""
        return self.declared_shape

    @property
    def class_count(self) -> int:
        """Number of logits; 0: found by a forward pass."""
        return self.declared_classes

    def network(self) -> nn.Module:
        """What the user's factory returns.

        Raises:
            ModelError: it is no torch module.
        """
        from torch import nn

        from advlab.errors import ModelError

        network = self.build()
        if not isinstance(network, nn.Module):
            raise ModelError(
                f"the plug-in's factory must return a torch.nn.Module, it returned {type(network).__name__}"
            )
        return network
