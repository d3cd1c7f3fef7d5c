"""The attacks that a configuration can name, as frozen dataclasses of hyperparameters; none of them imports torch."""

from advlab.attacks.zoo.base import Attack, Norm
from advlab.attacks.zoo.foreign import ForeignAttack, Library
from advlab.attacks.zoo.given import PGD, UAP, Fooling, Noise
from advlab.attacks.zoo.minimal import FGS, FGV, LBFGS, DeepFool, HotCold, Saliency, Search

__all__ = [
    "FGS", "FGV", "LBFGS", "PGD", "UAP", "Attack", "DeepFool", "Fooling", "ForeignAttack", "HotCold", "Library", "Noise",
    "Norm", "Saliency", "Search",
]  # fmt: skip
