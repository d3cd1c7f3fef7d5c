"""What the defense that a user registers declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class PluginDefense(Defense):
    """A user's own defense, registered by a plug-in (`advlab.defense`), which derives a class for its traits.

    Attributes:
        function: changes images, or gives logits with a reject output; not archived.
        name: as on the command line.
        takes_bounds: whether the function has a parameter `bounds`.
        seed: of a random one's draws.
        options: its own keyword parameters.
    """

    function: ClassVar[Callable[..., Any]]
    name: ClassVar[str]
    takes_bounds: ClassVar[bool] = False
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.from_plugin import PluginTransform, RejectingStage  # loads torch

        options = {**self.options, "bounds": bounds} if self.takes_bounds else dict(self.options)
        if self.rejects:
            return [RejectingStage(type(self).function, options, name=self.name, random=self.random, seed=self.seed)]
        return [
            PluginTransform(
                type(self).function, options, name=self.name, differentiable=self.differentiable, random=self.random, seed=self.seed
            )
        ]  # fmt: skip

    def archived(self) -> dict[str, Any]:
        """The options of the user's function, and the seed of a random one."""
        return {**self.options, "seed": self.seed} if self.random else dict(self.options)

    @property
    def label(self) -> str:
        """The name under which it is registered."""
        return self.name
