"""Resampling down and up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from advlab.defenses.base import Bounds, Defense
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Resample(Defense):
    """Bicubic resampling down to a smaller image and up to the size as it was, antialiased (jetley2018, table 1).

    Filter (a = -0.5) and ends (mirrored) are those of MATLAB's imresize. As in the paper, values that overshoot the bounds are
    not clipped.

    Attributes:
        size: of the smaller image's shorter side, in pixels; the longer side shrinks by the same ratio. 0: half of it.
        centred: the deviation from the mean training image is resampled, m + R (x - m), as in the paper, so that what is
            taken away of the mean remains. Otherwise R x: the same where the mean has one value a channel.
        mean: in Python: the mean image, (C, H, W) or (C, 1, 1).
    """

    version: ClassVar[int] = 2
    size: Annotated[int, Ge(0)] = 0
    centred: bool = False
    mean: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse values out of range, and a mean that is no tensor.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.mean is not None and not hasattr(self.mean, "detach"):
            raise ArgumentError(
                f"mean must be a tensor, got {type(self.mean).__name__}: centred=true takes it from images"
            )

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`; `fitted` may hold `mean`.

        Raises:
            ArgumentError: there is no mean.
        """
        from advlab.defenses.transforms.separable import DownAndUp  # loads torch

        if not self.centred:
            return [DownAndUp(self.size)]
        mean = fitted.get("mean") if self.mean is None else self.mean
        if mean is None:
            raise ArgumentError(
                "centred=true needs the mean training image: give mean= in Python, or set centred=false"
            )
        return [DownAndUp(self.size, mean)]

    @property
    def needs_fit(self) -> bool:
        """Whether the mean image is needed and not given."""
        return self.centred and self.mean is None

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """`mean` (C, H, W) in [0, 1], if it is needed."""
        return {"mean": images.mean_image()} if self.needs_fit else None

    def archived(self) -> dict[str, Any]:
        """With the digest of the mean in place of it."""
        own = {"size": self.size, "centred": self.centred}
        if self.mean is None:
            return own
        from advlab.data.images import tensor_digest  # loads torch, which a tensor has already

        return own | {"mean": tensor_digest(self.mean)}
