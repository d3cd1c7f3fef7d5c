"""The open set networks that are compared: one that the paper reports, and others that differ from it in one parameter each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Gt

from advlab.config.ranges import InRange
from advlab.defenses import OpenMax

LOGITS = "logits"  # as a layer: what the classification layer gives, ip2 of LeNet


class OpenSetNetwork(NamedTuple):
    """An open set network.

    Attributes:
        varied: parameter in which it differs from the paper's; empty: it is the paper's.
        value: of that parameter, as text; of the paper's, its tail size.
        defense: all parameters.
    """

    varied: str
    value: str
    defense: OpenMax


@dataclass(frozen=True, kw_only=True)
class OpenSetParams(InRange):
    """Parameters of OpenMax, and those to which each of them is changed alone."""

    layer: str = "auto"  # section 2.3: ip1; auto: the input of the classification layer
    tail_size: Annotated[int, Ge(2)] = 200  # section 2.3
    alpha: Annotated[int, Ge(1)] = 2  # section 2.3
    distance: Literal["cosine", "euclidean", "eucos"] = "cosine"  # section 2.3
    weighting: Literal["osdn", "cvpr"] = "osdn"
    translation: Annotated[float, Gt(0)] = 1.0  # T
    tail_of: Literal["all", "correct"] = "all"  # section 2.3: "all training set activation vectors"
    tail_sizes: list[Annotated[int, Ge(2)]] = field(default_factory=lambda: [20, 50, 100, 500, 1000])
    alphas: list[Annotated[int, Ge(1)]] = field(default_factory=lambda: [1, 3, 5, 10])
    layers: list[str] = field(default_factory=lambda: [LOGITS])  # section 2.3: ip2 is weaker on fooling images
    distances: list[Literal["cosine", "euclidean", "eucos"]] = field(default_factory=lambda: ["euclidean"])
    weightings: list[Literal["osdn", "cvpr"]] = field(default_factory=lambda: ["cvpr"])
    translations: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [10000.0])
    tails_of: list[Literal["all", "correct"]] = field(default_factory=lambda: ["correct"])
    offsets: list[float] = field(default_factory=lambda: [-20.0, -10.0, -5.0, 5.0, 10.0, 20.0])  # of all logits
    decisions: list[Literal["openmax", "reject"]] = field(default_factory=lambda: ["reject"])


#: field of `OpenMax` -> parameter that lists its other values
LISTS = {
    "tail_size": "tail_sizes", "alpha": "alphas", "layer": "layers", "distance": "distances", "weighting": "weightings",
    "translation": "translations", "tail_of": "tails_of", "offset": "offsets", "decision": "decisions",
}  # fmt: skip
OWN = ("layer", "tail_size", "alpha", "distance", "weighting", "translation", "tail_of")


def paper_defense(params: OpenSetParams) -> OpenMax:
    """The paper's open set network."""
    return OpenMax(**{name: getattr(params, name) for name in OWN})


def variants(params: OpenSetParams) -> list[OpenSetNetwork]:
    """The paper's first, then those that differ from it in one parameter."""
    base = paper_defense(params)
    found = [OpenSetNetwork("", str(base.tail_size), base)]
    for name, parameter in LISTS.items():
        values: Sequence[Any] = getattr(params, parameter)
        for value in values:
            if value != getattr(base, name):
                text = f"{value:g}" if isinstance(value, float) else str(value)
                found.append(OpenSetNetwork(name, text, dataclasses.replace(base, **{name: value})))
    return found


def smallest_tail(params: OpenSetParams) -> int:
    """Index among `variants` of the one with the smallest tail."""
    sizes = {i: v.defense.tail_size for i, v in enumerate(variants(params)) if v.varied in ("", "tail_size")}
    return min(sizes, key=lambda i: sizes[i])


def layers_and_distances(params: OpenSetParams) -> tuple[list[str], list[str]]:
    """Every layer and every distance that some variant takes."""
    defenses = [variant.defense for variant in variants(params)]
    return list(dict.fromkeys(d.layer for d in defenses)), list(dict.fromkeys(d.distance for d in defenses))
