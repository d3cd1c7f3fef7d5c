"""The networks that are defined in this project, as parameters of a configuration.

This file is imported to list and describe models, which must be quick; torch is imported when a network is built.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Interval, Lt

from advlab.data.content import Shape
from advlab.errors import ArgumentError
from advlab.models.base import Model

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class BuiltIn(Model):
    """A network defined here: the class of the same name in `advlab.models.networks`.

    Fields that a subclass adds are keyword arguments of that class.

    Attributes:
        input: channels, height and width of the images.
        classes: number of logits.
        blur: standard deviation in pixels of a fixed Gaussian blur before layers that sample down; 0: none.
        blur_layers: names of these layers; auto: every max-pooling, average pooling and convolution with a stride.
    """

    input: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [3, 32, 32])
    classes: Annotated[int, Ge(2)] = 10
    blur: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    blur_layers: list[str] = field(default_factory=lambda: ["auto"])

    def __post_init__(self) -> None:
        """Refuse values out of range, and an input that has not three numbers.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if len(self.input) != 3:
            raise ArgumentError(f"input must be [channels,height,width], got {self.input}")

    @property
    def shape(self) -> Shape | None:
        """(C, H, W)."""
        return self.input[0], self.input[1], self.input[2]

    @property
    def class_count(self) -> int:
        """Number of logits."""
        return self.classes

    def network(self) -> nn.Module:
        """See `Model.network`."""
        from advlab.models import networks  # torch

        common = {parameter.name for parameter in fields(BuiltIn)}
        options = {p.name: getattr(self, p.name) for p in fields(self) if p.name not in common}
        network: nn.Module = getattr(networks, type(self).__name__)(
            input_shape=self.shape, classes=self.classes, **options
        )
        return networks.blur_before(network, self.blur, self.blur_layers) if self.blur else network


@dataclass(frozen=True, kw_only=True)
class LeNet(BuiltIn):
    """Caffe's LeNet, 20-50-500-10 (LeCun et al. 1998 as in BVLC/caffe; gunther2017, jetley2018)."""

    input: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [1, 28, 28])
    hidden: Annotated[int, Ge(1)] = 500  # units of ip1


@dataclass(frozen=True, kw_only=True)
class NiN(BuiltIn):
    """Network-in-Network (Lin et al. 2014; jetley2018)."""

    dropout: Annotated[float, Interval(ge=0, le=1)] = 0.5


@dataclass(frozen=True, kw_only=True)
class Ciresan(BuiltIn):
    """One column of Ciresan et al. 2012 for traffic signs, scaled tanh; 1,543,443 parameters (aghdam2017)."""

    input: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [3, 48, 48])
    classes: Annotated[int, Ge(2)] = 43


@dataclass(frozen=True, kw_only=True)
class Aghdam(Ciresan):
    """Aghdam et al. 2015: Ciresan's column with Leaky ReLU and two groups; 1,123,443 parameters (aghdam2017)."""


@dataclass(frozen=True, kw_only=True)
class MLP(BuiltIn):
    """Fully connected network (barati2021: 784-512-512-10)."""

    input: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [1, 28, 28])
    hidden: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [512, 512])
    activation: Literal["relu", "tanh"] = "relu"
    #: he: normal, by the number of inputs and the activation, biases 0; torch: the default of torch.nn.Linear
    initialisation: Literal["he", "torch"] = "he"


@dataclass(frozen=True, kw_only=True)
class CifarAlexNet(BuiltIn):
    """AlexNet for 32x32 images (jetley2018, figure 5)."""

    dropout: Annotated[float, Interval(ge=0, le=1)] = 0.0


@dataclass(frozen=True, kw_only=True)
class CifarVGG(BuiltIn):
    """Three blocks of two convolutions with batch norm: the CIFAR network for machines without a GPU."""

    widths: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [32, 64, 128])  # channels of the blocks
