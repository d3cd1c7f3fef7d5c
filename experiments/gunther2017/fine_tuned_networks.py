"""The networks of table 1 of gunther2017 and their controls, and what each is trained on after the base network."""

from __future__ import annotations

from typing import Literal, NamedTuple

from advlab.errors import ArgumentError

BASE = "base"
#: attacks of table 1, in its order
TABLE_ATTACKS = ("fgs", "fgv", "hc")
MINIMAL, ASCENT = "deepfool_refined", "apgd"  # and what measures the stability beside them


class FineTuning(NamedTuple):
    """How a network continues the training of the base network.

    Attributes:
        images: what it sees: adversarial images of `attacks`, clean images, noise, or PGD's, which are made on the way.
        attacks: whose adversarial images of the base network it needs; the noise is as large as those of FGS.
        iterations: which of the two numbers of iterations: of one image each (fgs, fgv) or of all targets (hc).
        words: for claims and figures.
    """

    images: Literal["", "adversarial", "clean", "noise", "pgd"]
    attacks: tuple[str, ...]
    iterations: Literal["", "one", "all"]
    words: str


NETWORKS = {
    BASE: FineTuning("", (), "", "base network"),
    "fgs": FineTuning("adversarial", ("fgs",), "one", "+FGS"),
    "fgv": FineTuning("adversarial", ("fgv",), "one", "+FGV"),
    "hc": FineTuning("adversarial", ("hc",), "all", "+HC"),
    "clean": FineTuning("clean", (), "one", "+clean"),
    "clean_long": FineTuning("clean", (), "all", "+clean, long"),
    "noise": FineTuning("noise", ("fgs",), "one", "+noise"),
    "pgd": FineTuning("pgd", (), "one", "+PGD"),
}


def fine_tuning(name: str) -> FineTuning:
    """One of NETWORKS, or a mixture of the images of several attacks, such as fgs+fgv+hc.

    Raises:
        ArgumentError: it is neither.

    >>> fine_tuning("fgs+hc")
    FineTuning(images='adversarial', attacks=('fgs', 'hc'), iterations='all', words='+FGS+HC')
    """
    if name in NETWORKS:
        return NETWORKS[name]
    attacks = tuple(name.split("+"))
    if attacks != tuple(attack for attack in TABLE_ATTACKS if attack in attacks):
        raise ArgumentError(
            f"networks: there is no {name!r}; there are {', '.join(NETWORKS)}, and mixtures in the order of fgs+fgv+hc"
        )
    return FineTuning("adversarial", attacks, "all" if "hc" in attacks else "one", f"+{name.upper()}")


def controls(name: str) -> tuple[str, ...]:
    """The networks trained as long without adversarial images, the one on clean images first; () of the controls themselves."""
    tuning = fine_tuning(name)
    if tuning.images not in ("adversarial", "pgd"):
        return ()
    if tuning.iterations == "all":
        return ("clean_long",)
    return ("clean", "noise") if tuning.images == "adversarial" else ("clean",)
