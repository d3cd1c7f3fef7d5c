"""One line of the table of `gradient_isotropy`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class GradientIsotropyRow:
    """One (sample, reading, radius); s is the score or its logit. Of the measures, only `predicted` depends on the radius."""

    sample: int  # index in the split
    label: int  # true class
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    radius: float  # r, in those units
    trials: int  # T
    of: str  # s: score (softmax probability of the true class) or logit (log(score / (1 - score)))
    range: float  # max - min of s over T
    clean_error_probability: float  # 1 - score of the clean image
    dispersion: float  # mean |g_i - g_j| over the pairs of elements of the gradient of s; pixels in [0, 1]
    relative_dispersion: float  # that divided by the mean |g_i|; nan where the gradient is 0
    gradient_norm: float  # ||g||
    hessian_norm: float  # ||H||_F
    hessian_norm_error: float  # standard error of the estimate
    isotropic: float  # min_c ||H - c I||_F / ||H||_F; nan where H is 0
    isotropic_error: float  # standard error
    symmetric: float  # min_{a, b} ||H - a I - b 11'||_F / ||H||_F; nan where H is 0
    symmetric_error: float  # standard error
    predicted: float  # the range over T that eq 3 predicts
    nonfinite: int  # of T, left out of the range
    #: bounds of 95 % intervals over the directions z; nan in runs of before they were kept
    hessian_norm_low: float = math.nan
    hessian_norm_high: float = math.nan
    isotropic_low: float = math.nan
    isotropic_high: float = math.nan
    trace: float = math.nan  # tr H
    trace_error: float = math.nan  # standard error

    former_columns: ClassVar[dict[str, str]] = {"clean_deficit": "clean_error_probability"}
