"""A user's own function as a stage; it is handed a copy of the images, which it may change in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform, LogitsFunction, Stage
from advlab.errors import ArgumentError


class PluginTransform(ImageTransform):
    """(images, [draw], **options) to images of the same shape."""

    def __init__(
        self, function: Callable[..., Any], options: Mapping[str, Any], *, name: str, differentiable: bool, random: bool, seed: int
    ) -> None:  # fmt: skip
        super().__init__()
        self.function, self.options, self.name, self.seed = function, options, name, seed
        self.differentiable, self.random = differentiable, random

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`.

        Raises:
            ArgumentError: it gives something else than images of the same shape.
        """
        drawn = () if draw is None else (draw.stream(self.seed),)
        changed = self.function(x.clone(), *drawn, **options_for(self.options, x))
        if not isinstance(changed, Tensor) or changed.shape != x.shape:
            raise ArgumentError(
                f"the defense {self.name} must return images of shape {tuple(x.shape)}, it returned {kind(changed)}"
            )
        return changed.to(x)


class RejectingStage(Stage):
    """(network, images, [draw], **options) to logits (n, K + 1), the last of which rejects."""

    rejects = True

    def __init__(
        self, function: Callable[..., Any], options: Mapping[str, Any], *, name: str, random: bool, seed: int
    ) -> None:
        super().__init__()
        self.function, self.options, self.name, self.seed = function, options, name, seed
        self.random = random

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`.

        Raises:
            ArgumentError: it gives something else than such logits.
        """
        drawn = () if draw is None else (draw.stream(self.seed),)
        logits = self.function(network, x.clone(), *drawn, **options_for(self.options, x))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x) or logits.shape[1] < 3:
            raise ArgumentError(
                f"the defense {self.name} rejects: it must return logits ({len(x)}, classes + 1), it returned {kind(logits)}"
            )
        return logits


def options_for(options: Mapping[str, Any], x: Tensor) -> dict[str, Any]:
    """The options, of which what was fitted (`fitted`) is on the images' device and, if floating, in their precision."""
    fitted = options.get("fitted")
    if not isinstance(fitted, dict):
        return dict(options)
    placed = {name: t.to(x) if t.is_floating_point() else t.to(x.device) for name, t in fitted.items()}
    return {**options, "fitted": placed}


def kind(value: object) -> str:
    """A value's type or shape, for messages."""
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
