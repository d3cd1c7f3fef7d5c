"""The networks that are defined here, as parameters; torch is imported only when one is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advlab.models.base import Model, Shape

if TYPE_CHECKING:
    from torch import nn


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
