"""The base class of all defenses: parameters, what they declare, and the network they make; torch is imported in the call."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.config.ranges import InRange
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.defended_network import DefendedNetwork
    from advlab.defenses.transforms.stage import Stage

Bounds = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Defense(InRange, ABC):
    """A defense: its parameters are its fields, the network comes in the call.

    Lengths among the parameters are in units of the bounds' length unless a field says otherwise.

    Class attributes:
        differentiable: whether its gradient is its own; otherwise it is taken for the identity in backward passes.
        random: whether it draws; such a defense has a field `seed`.
        rejects: whether the logits have one more column, the last, which says that the image is rejected.
        version: raised when the defense gives other images for the same parameters.
    """

    differentiable: ClassVar[bool] = True
    random: ClassVar[bool] = False
    rejects: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __call__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        bounds: Bounds = (0.0, 1.0),
        fitted: Mapping[str, Tensor] | None = None,
    ) -> DefendedNetwork:
        """The network behind this defense.

        Args:
            network: (N, C, H, W) images inside `bounds` to logits (N, K).
            bounds: lowest and highest pixel value.
            fitted: what `fit` gave.

        Raises:
            ArgumentError: bounds that are none, or something that the defense needs is missing.
        """
        from advlab.defenses.defended_network import DefendedNetwork  # loads torch

        if isinstance(network, type) or not callable(network):
            raise ArgumentError(f"network must be a function from images to logits, or a module, got {network!r:.80}")
        if not bounds[0] < bounds[1]:
            raise ArgumentError(f"bounds must be (lowest, highest) pixel value, got {bounds}")
        return DefendedNetwork(network, self.stages(bounds, fitted or {}))

    @abstractmethod
    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """The stages that an image passes before the network, in order."""

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` must be called, and its result be given back as `fitted`."""
        return False

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """What the defense takes from training images and the undefended network: arrays by name, or None."""
        return None

    @property
    def fit_digest(self) -> str:
        """Digest of the code of `fit`, where that is not of advlab; what was fitted is kept for this code alone."""
        return ""

    def archived(self) -> dict[str, Any]:
        """Its parameters as they are archived; with the name of the defense they determine what it does."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    @property
    def label(self) -> str:
        """Its name in messages and lists."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
