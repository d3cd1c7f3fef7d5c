"""How the attack on one image ended."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The cause, counted by the experiments; only SUCCESS is a success.

    >>> Status(4).name, int(Status.SUCCESS)  # results hold the numbers
    ('MAX_ITER', 0)
    """

    SUCCESS = 0  # the returned image is adversarial: classified again after everything else
    INELIGIBLE = 1  # not attacked: misclassified as it is, or in the target class already
    ZERO_GRADIENT = 2  # the gradient that gives the direction vanished
    NO_FLIP_AT_SATURATION = 3  # no step along the direction flips, up to the largest that is allowed
    MAX_ITER = 4  # the iterations were used up
    LOST = 5  # the attack found an adversarial image, but what it returned is not (clipping, rounding, another batch)
    NONFINITE = 6  # a logit or a gradient was NaN or infinite
    REJECTED = 7  # the returned image is rejected by a network with a reject output: neither correct nor fooled
