"""Several defenses one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advlab.defenses.base import Bounds, Defense
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Chain(Defense):
    """Defenses in the order in which an image passes them: `defense=[shift,blur,noise]`.

    Attributes:
        of: the defenses, at least one.
    """

    of: tuple[Defense, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty chain, and what is no defense.

        Raises:
            ArgumentError: names the place.
        """
        super().__post_init__()
        object.__setattr__(self, "of", tuple(self.of))
        if not self.of:
            raise ArgumentError("a chain needs at least one defense: Chain(of=(Blur(), Noise()))")
        for place, member in enumerate(self.of):
            if not isinstance(member, Defense):
                raise ArgumentError(f"of[{place}] must be a defense such as Blur(), got {member!r}")
            if member.rejects and place < len(self.of) - 1:
                raise ArgumentError(
                    f"of[{place}], {member.label}, rejects images, so that it must come last: put it at the end"
                )

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # it depends on the members
        """Whether all are."""
        return all(member.differentiable for member in self.of)

    @property
    def random(self) -> bool:  # type: ignore[override]  # likewise
        """Whether any is."""
        return any(member.random for member in self.of)

    @property
    def rejects(self) -> bool:  # type: ignore[override]  # likewise
        """Whether any does."""
        return any(member.rejects for member in self.of)

    @property
    def label(self) -> str:
        """The members' labels."""
        return "+".join(member.label for member in self.of)

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`; what was fitted for member 1 is called `1.NAME`."""
        stages: list[Stage] = []
        for place, member in enumerate(self.of):
            prefix = f"{place}."
            own = {key.removeprefix(prefix): value for key, value in fitted.items() if key.startswith(prefix)}
            stages += member.stages(bounds, own)
        return stages

    @property
    def needs_fit(self) -> bool:
        """Whether any does."""
        return any(member.needs_fit for member in self.of)

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """See `Defense.fit`; every member sees the same images and the undefended network."""
        fitted: dict[str, Tensor] = {}
        for place, member in enumerate(self.of):
            arrays = member.fit(images, classifier) if member.needs_fit else None
            fitted |= {f"{place}.{name}": array for name, array in (arrays or {}).items()}
        return fitted or None

    @property
    def fit_digest(self) -> str:
        """The members' digests."""
        return "+".join(member.fit_digest for member in self.of if member.fit_digest)

    def archived(self) -> dict[str, Any]:
        """The members' names and parameters."""
        return {"of": [{"name": member.label, **member.archived()} for member in self.of]}
