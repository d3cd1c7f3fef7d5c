"""The attacks as frozen dataclasses of hyperparameters, called on a network and images; importing them loads no torch.

The folder of an attack holds its hyperparameters in `params.py`, without torch, and its algorithm in `algorithm.py`. All
share `traits` (what an attack declares of itself), `base` (the call), `interface` (what happens in a call), `problem` (what an
algorithm is handed), `results` and `status` (what comes out).
"""

from advlab.attacks.ascent.apgd.params import APGD
from advlab.attacks.ascent.fooling.params import Fooling
from advlab.attacks.ascent.pgd.params import PGD
from advlab.attacks.base import Attack
from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.external.library.params import Library
from advlab.attacks.gradient_search.fgs.params import FGS
from advlab.attacks.gradient_search.fgv.params import FGV
from advlab.attacks.gradient_search.hot_cold.params import HotCold
from advlab.attacks.gradient_search.saliency.params import Saliency
from advlab.attacks.lbfgs.params import LBFGS
from advlab.attacks.noise.params import Noise
from advlab.attacks.universal.uap.params import UAP

__all__ = [
    "APGD",
    "FGS",
    "FGV",
    "LBFGS",
    "PGD",
    "UAP",
    "Attack",
    "DeepFool",
    "Fooling",
    "HotCold",
    "Library",
    "Noise",
    "Saliency",
]  # fmt: skip
