"""Defenses: what stands between an image and a network, as frozen dataclasses; importing them loads no torch.

A defense holds its parameters; called with a network it gives a `DefendedNetwork`, which is used like any other:

    network = Chain(of=(Blur(sigma=1.0), Noise(sigma=1 / 255)))(network)

`base` says what a defense declares, `transforms` holds what works on tensors, and `draws` where random numbers come from.
"""

from advlab.defenses.base import Defense
from advlab.defenses.binarize import Binarize
from advlab.defenses.bit_depth import BitDepth
from advlab.defenses.blur import Blur
from advlab.defenses.chain import Chain
from advlab.defenses.combined import Combined
from advlab.defenses.crops import Crops
from advlab.defenses.jpeg import Jpeg
from advlab.defenses.noise import Noise
from advlab.defenses.openmax import OpenMax
from advlab.defenses.project import Project
from advlab.defenses.resample import Resample
from advlab.defenses.rescale_crops import RescaleCrops
from advlab.defenses.round import Round
from advlab.defenses.shift import Shift
from advlab.defenses.softmax_threshold import SoftmaxThreshold

__all__ = [
    "Binarize",
    "BitDepth",
    "Blur",
    "Chain",
    "Combined",
    "Crops",
    "Defense",
    "Jpeg",
    "Noise",
    "OpenMax",
    "Project",
    "Resample",
    "RescaleCrops",
    "Round",
    "Shift",
    "SoftmaxThreshold",
]
