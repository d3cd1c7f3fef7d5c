"""The subspaces of figure 3: which of them, and how many directions of each class they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Frame

from .chosen_basis import BasisParams, directions_of_a_kind, is_curved, singular_source
from .curvature_stages import CurvatureParams, is_dense

Kind = Literal["pos", "neg", "neg+pos", "flat", "most", "complement", "hi", "lo", "random"]

#: subspace -> what it takes of each class
KINDS: dict[Kind, str] = {
    "pos": "most positive",
    "neg": "most negative",
    "neg+pos": "both of these",
    "flat": "flattest",
    "most": "most curved",
    "complement": "complement",
    "hi": "largest singular values",
    "lo": "smallest singular values",
    "random": "random",
}
CURVED: tuple[Kind, ...] = ("pos", "neg", "neg+pos", "most")
STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70)  # d of a class; from 10 on times 10, 100, ...


@dataclass(frozen=True, kw_only=True)
class SubspaceParams(BasisParams):
    """Which subspaces are spanned; base of the parameters of the experiments about them."""

    #: pos, neg, neg+pos (2 d directions a class) and flat are the paper's; of singular vectors hi and lo, d for each class; random;
    #: none: all that the bases hold
    subspaces: list[Kind] = field(default_factory=list)
    #: d, directions of each class (of singular vectors and random ones d times the classes together); none: from 0 to all that the
    #: bases hold, in steps of a third to a double
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
        ConfigError: one that was named is none of this basis: singular vectors have no curvature; of curvature bases those of
            Lanczos hold no flat directions, and whole ones have no complement.
    """
    known = known_kinds(params, size)
    for kind in params.subspaces:
        if kind in known:
            continue
        if not is_curved(params) or kind in ("hi", "lo"):
            others = "deepfool" if kind in ("hi", "lo") else "dense"
            raise ConfigError(
                f"experiment.subspaces: {kind}: experiment.basis={params.basis} has {', '.join(known)}: take of these, or "
                f"experiment.basis={others}"
            )
        remedy = "flat" if kind == "complement" else "complement, or set experiment.basis=dense (up to 3072 values)"
        raise ConfigError(
            f"experiment.subspaces: {kind}: the curvature bases of images of {size} values have none: take {remedy}"
        )
    return [kind for kind in known if kind in params.subspaces or not params.subspaces]


def known_kinds(params: SubspaceParams, size: int) -> list[Kind]:
    """The subspaces that there are of the basis of images of `size` values."""
    if not is_curved(params):
        return ["hi", "lo", "random"] if singular_source(params) else ["random"]
    absent = {"complement" if is_dense(params, size) else "flat", "hi", "lo"}
    return [kind for kind in KINDS if kind not in absent]


def leading(params: SubspaceParams) -> tuple[Kind, ...]:
    """The subspaces of the directions that decide by the paper: the curved ones, or those of the largest singular values."""
    if is_curved(params):
        return CURVED
    return ("hi",) if singular_source(params) else ()


def contrasted(params: SubspaceParams, table: Frame) -> tuple[Kind, Kind]:
    """The subspaces of the directions that decide most and least by the paper, in a table."""
    if not is_curved(params):
        return "hi", "lo"
    return "most", "flat" if (table["subspace"] == "flat").any() else "complement"


def dimensions_of(params: SubspaceParams, size: int, classes: int) -> list[int]:
    """The numbers d of directions of each class, rising.

    Args:
        params: which are typed.
        size: values of an image.
        classes: C. Singular vectors and random directions are d C of all classes together, or as many as there are.

    Raises:
        ConfigError: the bases hold fewer.
    """
    limit = directions_of_a_kind(params, size)
    limit = checked_limit(params, size, params.dimensions, limit if is_curved(params) else -(-limit // classes))
    if params.dimensions:
        return sorted(params.dimensions)
    grid = [0, *(step * 10**k for k in range(8) for step in STEPS if k == 0 or step >= 10)]
    return sorted({*(d for d in grid if d < limit), limit})


def checked_limit(params: CurvatureParams, size: int, dimensions: Sequence[int], limit: int) -> int:
    """The limit, of the directions of a kind that a basis holds for each class, for images of `size` values.

    Raises:
        ConfigError: one of the numbers of directions that were typed is larger.
    """
    largest = max(dimensions, default=0)
    if largest > limit:
        more = f", or type experiment.pairs={largest}" if is_curved(params) and limit < largest <= size // 2 else ""
        raise ConfigError(
            f"experiment.dimensions={list(dimensions)}: the bases hold {limit} directions of a kind: take at most {limit}{more}"
        )
    return limit


def only(rows: Frame, **values: Any) -> Frame:
    """The rows with these values of these columns."""
    for column, value in values.items():
        rows = rows[rows[column] == value]
    return rows
