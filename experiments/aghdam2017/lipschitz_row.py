"""One line of figure 6's table."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LipschitzRow:
    """One (sample, layer, reading, radius); lengths are Euclidean, of pixels in [0, 1] and of features."""

    sample: int  # index in the split
    label: int  # true class
    layer: str  # whose output is Phi_L; auto: the input of the classification layer
    depth: int  # of the layer among those measured, from 0
    features: int  # R, numbers that the layer gives
    norm: str  # l2 or linf: how the radius is read
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r, in those units
    trials: int  # T
    length: float  # mean ||v|| over T
    moved: float  # mean ||Phi_L(x + v) - Phi_L(x)|| over T
    least_ratio: float  # smallest ||Phi_L(x + v) - Phi_L(x)|| / ||v|| over T
    largest_ratio: float  # largest of T: L_x of eq 9, as far as these directions show it
    contracted: int  # of T whose ratio is below 1
    contracted_normalised: int  # of T whose ratio times `normaliser` is below 1
    normaliser: float  # (max - min of pixels) / (max - min of features): the ratio of g and h of eq 9
    pixel_range: float  # max - min of pixels alone
    jacobian_norm: float  # largest singular value of the Jacobian of Phi_L at x: the limit of L_x for r -> 0
    jacobian_converged: bool  # whether its iteration ended; a lower bound of it when not
    global_bound: float  # product of the layers' operator norms: no ratio anywhere is above it; nan where unknown
    nonfinite: int  # perturbed images without finite features, left out of the numbers above
    clean_error_probability: float = math.nan  # 1 - score of the true class of the image itself
    score_moved: float = math.nan  # mean |s(x + v) - s(x)| over T, s the score of the true class
    score_follows: float = math.nan  # rank correlation over T of ||Phi_L(x + v) - Phi_L(x)|| and |s(x + v) - s(x)|
    ascended_norm: float = (
        math.nan
    )  # largest Jacobian norm that ascent reached in the box: the global constant is no less
    elementwise_length: float = math.nan  # mean ||h(x + v) - h(x)|| over T, h with a normaliser for each pixel
    elementwise_moved: float = math.nan  # mean ||g(Phi_L(x + v)) - g(Phi_L(x))|| over T, g with one for each feature
    elementwise_largest_ratio: float = math.nan  # largest of T of the second over the first
    contracted_elementwise: float = math.nan  # of T whose ratio of these is below 1
    constant_pixels: float = math.nan  # of D that have one value in all images of the normalisers, left out of h
    constant_features: float = math.nan  # likewise of R, left out of g
