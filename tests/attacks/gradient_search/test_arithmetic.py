"""The loss's gradient of FGS and FGV in float32, against networks wholly in float64."""

from __future__ import annotations

import copy

from torch import nn

from advlab.attacks import FGS, FGV
from tests.helpers.digits_network import trained_on_digits


def test_a_confident_network_in_float32_is_attacked_as_in_float64() -> None:
    """Real images, of which some have p = 1 in float32: FGS and FGV go the way of a network wholly in float64."""
    net, x, y = trained_on_digits()
    double = copy.deepcopy(net).double()
    rows = slice(0, 200)
    for kind in (FGS, FGV):
        exact = (kind(epsilon=0.01)(double, x[rows].double(), y[rows]).adv - x[rows]).flatten(1)
        single = (kind(epsilon=0.01)(net, x[rows], y[rows]).adv - x[rows]).flatten(1)
        free = ((x[rows] > 0.01) & (x[rows] < 0.99)).flatten(1)  # pixels that no clipping holds
        cosine = nn.functional.cosine_similarity(exact * free, single.double() * free)
        assert float(cosine.min()) > 0.999
    caffe = FGV(epsilon=0.01, arithmetic="float32")(net, x, y)
    exact_result = FGV(epsilon=0.01)(net, x, y)
    certain = exact_result.saturated
    assert 0 < int(certain.sum()) < len(x)
    change = (caffe.adv - exact_result.adv).flatten(1).abs().amax(1)
    assert float(change[certain].min()) > 100 * float(change[~certain].median())
