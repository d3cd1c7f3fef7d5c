"""Names of the networks of table 1 of gunther2017 and its controls, and what each is trained on after the base network."""

from __future__ import annotations

from typing import NamedTuple

BASE = "base"


class FineTuning(NamedTuple):
    """How a network continues the training of the base network.

    Attributes:
        images: what it sees: adversarial images of `attack`, clean images, noise, or PGD's, which are made on the way.
        attack: whose adversarial images (or the lengths of the noise) come from the base network; empty: none.
        iterations: which of the two numbers of iterations: of one image each (fgs, fgv) or of all targets (hc).
        words: for tables and figures.
    """

    images: str
    attack: str
    iterations: str
    words: str


NETWORKS = {
    BASE: FineTuning("", "", "", "LeNet"),
    "fgs": FineTuning("adversarial", "fgs", "one", "+FGS"),
    "fgv": FineTuning("adversarial", "fgv", "one", "+FGV"),
    "hc": FineTuning("adversarial", "hc", "all", "+HC"),
    "clean": FineTuning("clean", "", "one", "+clean images"),
    "clean_long": FineTuning("clean", "", "all", "+clean images, as long as HC"),
    "noise": FineTuning("noise", "fgs", "one", "+noise as large as FGS"),
    "pgd": FineTuning("pgd", "", "one", "+PGD, equal cost"),
}
#: the network whose number of iterations on clean images is that of a fine-tuned one
CONTROLS = {"fgs": "clean", "fgv": "clean", "hc": "clean_long", "noise": "clean", "pgd": "clean"}
#: attacks of table 1, in its order
TABLE_ATTACKS = ("fgs", "fgv", "hc")
MINIMAL, ASCENT = "deepfool_refined", "apgd"  # and what measures the stability beside them
