"""What the defense that a user registers declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.defenses.base import Bounds, Defense
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class PluginDefense(Defense):
    """A user's own defense, registered by a plug-in (`advlab.defense`), which derives a class for its traits.

    Attributes:
        function: changes images, or gives logits with a reject output; not archived.
        name: as on the command line.
        takes_bounds: whether the function has a parameter `bounds`.
        fit_function: gives what the function takes as `fitted`, of training images and the undefended network; or None.
        fit_digest: of its code.
        seed: of a random one's draws.
        options: its own keyword parameters.
    """

    function: ClassVar[Callable[..., Any]]
    name: ClassVar[str]
    takes_bounds: ClassVar[bool] = False
    fit_function: ClassVar[Callable[..., Any] | None] = None
    fit_digest: ClassVar[str] = ""  # type: ignore[misc]  # a property of the base
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`.

        Raises:
            ArgumentError: it must be fitted, and is not.
        """
        from advlab.defenses.transforms.from_plugin import PluginTransform, RejectingStage  # loads torch

        options = {**self.options, "bounds": bounds} if self.takes_bounds else dict(self.options)
        if self.needs_fit:
            if not fitted:
                raise ArgumentError(
                    f"the defense {self.name} must be fitted first: defense(network, fitted=defense.fit(images, network))"
                )
            options["fitted"] = dict(fitted)
        if self.rejects:
            return [RejectingStage(type(self).function, options, name=self.name, random=self.random, seed=self.seed)]
        return [
            PluginTransform(
                type(self).function, options, name=self.name, differentiable=self.differentiable, random=self.random, seed=self.seed
            )
        ]  # fmt: skip

    @property
    def needs_fit(self) -> bool:
        """Whether there is a function that fits it."""
        return type(self).fit_function is not None

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """See `Defense.fit`.

        Raises:
            ArgumentError: the user's function gives something else than tensors by name.
        """
        function = type(self).fit_function
        if function is None:
            return None
        fitted = function(images, classifier)
        if not isinstance(fitted, dict) or not fitted or not all(hasattr(value, "detach") for value in fitted.values()):
            raise ArgumentError(
                f"the fit of the defense {self.name} must return a dict of tensors, it returned {fitted!r:.80}"
            )
        return fitted

    def archived(self) -> dict[str, Any]:
        """The options of the user's function, and the seed of a random one."""
        return {**self.options, "seed": self.seed} if self.random else dict(self.options)

    @property
    def label(self) -> str:
        """The name under which it is registered."""
        return self.name
