"""Projection onto a subspace, or out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.defenses.base import Bounds, Defense
from advlab.errors import ArgumentError
from advlab.store.sealed import sha256, sha256_file

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.transforms.stage import Stage

TO_BE_TYPED = "FILE"  # the path that configs/defense/project.yaml gives: there is none yet
NO_DIRECTIONS = (
    "project needs the directions: path=FILE (safetensors; defense.project.path=FILE among several defenses), in Python "
    "Project(basis=TENSOR)"
)


@dataclass(frozen=True, kw_only=True)
class Project(Defense):
    """The image's orthogonal projection onto the span of given directions, or onto what is orthogonal to them (jetley2018).

    The directions are the columns of a matrix (D, d), D = C H W; they need not be orthonormal, nor independent. They come from
    a safetensors file, as a tensor from Python, or from what an experiment's stage has fitted. Images may leave the bounds.

    Attributes:
        path: a safetensors file, with one tensor or with one called `basis`; `mean` in it is the mean image.
        sha256: digest of the file's content, or of the tensors; checked when given.
        onto: onto the span; otherwise out of it.
        centred: the deviation from the mean training image is projected, m + P (x - m), so that the mean of what is taken
            away remains (jetley2018 adds the training mean of the orthogonal component, in the authors' code). Otherwise
            P x.
        basis: in Python: the directions (D, d).
        mean: in Python: the mean image, (C, H, W) or (D,).
    """

    path: str = ""
    sha256: str = ""
    onto: bool = True
    centred: bool = False
    basis: Any = field(default=None, repr=False, compare=False)
    mean: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the digest of what is given.

        Raises:
            ArgumentError: the file is missing or was not typed, or its content is another one than `sha256` says.
        """
        super().__post_init__()
        for name, value in (("basis", self.basis), ("mean", self.mean)):
            if value is not None and not hasattr(value, "detach"):
                raise ArgumentError(f"{name} must be a tensor, got {type(value).__name__}: name a file by path=FILE")
        if self.path == TO_BE_TYPED:
            raise ArgumentError(NO_DIRECTIONS)
        if self.path and self.basis is not None:
            raise ArgumentError("give path or basis, not both")
        if self.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise ArgumentError(f"sha256 must be 64 hexadecimal digits, got {self.sha256!r}")
        digest = self._digest()
        if self.sha256 and digest and self.sha256.lower() != digest:
            what = self.path or "the basis"
            raise ArgumentError(
                f"{what} has the digest {digest}, not {self.sha256}: put back the content that it had, or for a new run leave "
                "sha256 out"
            )
        object.__setattr__(self, "sha256", digest or self.sha256)

    def _digest(self) -> str:
        """SHA-256 of the file or the tensors; empty without them."""
        if self.path:
            path = os.path.abspath(os.path.expanduser(self.path))  # so that a run can be resumed from any folder
            object.__setattr__(self, "path", path)
            if not os.path.isfile(path):
                raise ArgumentError(f"{path} is no file: path names a safetensors file with the directions (D, d)")
            of_file = sha256_file(Path(path))
            return of_file if self.mean is None else sha256(f"{of_file}{self._of_tensors()}".encode())
        return self._of_tensors()

    def _of_tensors(self) -> str:
        given = [tensor for tensor in (self.basis, self.mean) if tensor is not None]
        if not given:
            return ""
        from advlab.data.images import tensor_digest  # loads torch, which a tensor has already

        return tensor_digest(*given)

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`; `fitted` may hold `basis` and `mean`.

        Raises:
            ArgumentError: there is no basis, no mean, or they are not what they must be.
        """
        from advlab.defenses.transforms.projection import Projection, read_directions  # loads torch

        tensors = dict(fitted)
        if self.path:
            tensors |= read_directions(self.path)
        tensors |= {name: value for name, value in (("basis", self.basis), ("mean", self.mean)) if value is not None}
        source = self.path or "the basis"
        if "basis" not in tensors:
            raise ArgumentError(NO_DIRECTIONS)
        if self.centred and "mean" not in tensors:
            raise ArgumentError(
                f"centred=true needs the mean training image, which {source} does not bring: save it there as `mean`, give "
                "mean= in Python, or set centred=false"
            )
        mean = tensors["mean"] if self.centred else None
        return [Projection(tensors["basis"], mean, onto=self.onto, source=source)]

    @property
    def needs_fit(self) -> bool:
        """Whether the mean image is needed and not given; a file may bring it, and then replaces what is fitted."""
        return self.centred and self.mean is None

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """`mean` (C, H, W) in [0, 1], if it is needed."""
        return {"mean": images.mean_image()} if self.needs_fit else None

    def archived(self) -> dict[str, Any]:
        """Without the tensors, which the digest stands for."""
        return {"path": self.path, "sha256": self.sha256, "onto": self.onto, "centred": self.centred}
