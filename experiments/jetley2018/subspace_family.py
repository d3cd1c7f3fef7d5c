"""The subspaces of figure 3: which of them, and how many directions of each class they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Frame

from .curvature_stages import CurvatureParams, is_dense

Kind = Literal["pos", "neg", "neg+pos", "flat", "most", "complement", "random"]

#: subspace -> what it takes of each class
KINDS: dict[Kind, str] = {
    "pos": "most positive",
    "neg": "most negative",
    "neg+pos": "both of these",
    "flat": "flattest",
    "most": "most curved",
    "complement": "complement",
    "random": "random",
}
CURVED: tuple[Kind, ...] = ("pos", "neg", "neg+pos", "most")
STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70)  # d of a class; from 10 on times 10, 100, ...


@dataclass(frozen=True, kw_only=True)
class SubspaceParams(CurvatureParams):
    """Which subspaces are spanned; base of the parameters of the experiments about them."""

    #: pos, neg, neg+pos (2 d directions a class) and flat are the paper's; none: all that the bases hold
    subspaces: list[Kind] = field(default_factory=list)
    #: d, directions of each class; none: from 0 to all D, or to `pairs` of Lanczos, in steps of a third to a double
    dimensions: list[Annotated[int, Ge(0)]] = field(default_factory=list)
    draws: Annotated[int, Ge(1)] = 3  # random subspaces for each d
    #: the mean training image's component outside of the subspace is added (the authors' code; footnote 5: "can be added")
    centred: bool = True
    #: "a relatively small number" of directions: d times the classes is at most this share of D; fixed beforehand
    small: Annotated[float, Gt(0), Le(1)] = 0.25

    def __post_init__(self) -> None:
        """Refuse values out of range, and what is named twice.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        for name, values in (("subspaces", self.subspaces), ("dimensions", self.dimensions)):
            if len(set(values)) < len(values):
                raise ArgumentError(f"{name} must name each once, got {values}")


def kinds_of(params: SubspaceParams, size: int) -> list[Kind]:
    """The subspaces of images of `size` values, in the order of `KINDS`.

    Raises:
        ConfigError: the bases of Lanczos hold no flat directions, whole ones have no complement.
    """
    absent: Kind = "complement" if is_dense(params, size) else "flat"
    if absent in params.subspaces:
        remedy = "flat" if absent == "complement" else "complement, or set experiment.basis=dense (up to 3072 values)"
        raise ConfigError(
            f"experiment.subspaces: {absent}: the curvature bases of images of {size} values have none: take {remedy}"
        )
    return [kind for kind in KINDS if kind != absent and (kind in params.subspaces or not params.subspaces)]


def dimensions_of(params: SubspaceParams, size: int) -> list[int]:
    """The numbers d of directions of each class, rising.

    Raises:
        ConfigError: the bases hold fewer.
    """
    limit = directions_held(params, size, params.dimensions)
    if params.dimensions:
        return sorted(params.dimensions)
    grid = [0, *(step * 10**k for k in range(8) for step in STEPS if k == 0 or step >= 10)]
    return sorted({*(d for d in grid if d < limit), limit})


def directions_held(params: CurvatureParams, size: int, dimensions: Sequence[int]) -> int:
    """How many directions of a kind the basis of a class holds, for images of `size` values.

    Raises:
        ConfigError: one of the numbers of directions that were typed is larger.
    """
    limit = size if is_dense(params, size) else min(params.pairs, size // 2)
    largest = max(dimensions, default=0)
    if largest > limit:
        more = f", or type experiment.pairs={largest}" if limit < largest <= size // 2 else ""
        raise ConfigError(
            f"experiment.dimensions={list(dimensions)}: the bases hold {limit} directions of a kind: take at most {limit}{more}"
        )
    return limit


def only(rows: Frame, **values: Any) -> Frame:
    """The rows with these values of these columns."""
    for column, value in values.items():
        rows = rows[rows[column] == value]
    return rows
