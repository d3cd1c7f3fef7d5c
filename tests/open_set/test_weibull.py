"""Weibull tails beside libMR's own numbers and scipy's fit."""

from __future__ import annotations

import math
import random

import pytest
import torch
from scipy import stats
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.open_set.weibull import WeibullTails, fit_tails

QUERIES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
#: (distances, tail size) -> w of QUERIES, scale and shape by libmr 0.1.9 (fit_high, w_score), for `drawn_distances` in this order
LIBMR = {
    (300, 20): ((0.030809443784532653, 0.03436493650339767, 0.05235570133845224, 0.08560333861929714, 0.20404386830468602,
                 0.4118647785093328, 0.9015156989931206, 0.9999994202106699, 1.0), 1.1507449245822585, 8.59449657464824),
    (300, 200): ((0.24698375286554286, 0.27006265526619877, 0.37662081424434113, 0.5363922650652687, 0.8516988862344285,
                  0.9877583598272428, 0.9999999969242418, 1.0, 1.0), 1.1181154266838225, 10.36079889478486),
    (60, 60): ((0.314691279256922, 0.3466098729841329, 0.4917747137606385, 0.6926709452205011, 0.9644218571584657,
                0.999829925911464, 1.0, 1.0, 1.0), 1.0848704993054432, 11.945547557524927),
}  # fmt: skip


def drawn_distances() -> dict[tuple[int, int], list[float]]:
    """The distances that libmr was given: Python's random numbers are the same everywhere."""
    generator = random.Random(0)
    return {
        key: [1 - math.cos(abs(generator.gauss(0, 0.35))) for _ in range(key[0])] for key in ((300, 20), (300, 200), (60, 60))
    }  # fmt: skip


def of_one_class(tails: WeibullTails, queries: Tensor) -> Tensor:
    return tails.exceeded(queries[:, None])[:, 0]


@pytest.mark.parametrize("key", LIBMR)
def test_w_is_libmrs(key: tuple[int, int]) -> None:
    distances = torch.tensor(drawn_distances()[key], dtype=torch.float64)
    tails = fit_tails([distances], tail_size=key[1], translation=1.0)
    w, scale, shape = LIBMR[key]
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-6)):
        found = of_one_class(tails, torch.tensor(QUERIES, dtype=dtype))
        assert torch.allclose(found.double(), torch.tensor(w, dtype=torch.float64), rtol=0, atol=tolerance)
    assert float(tails.scale) == pytest.approx(scale, rel=1e-6)
    assert float(tails.shape) == pytest.approx(shape, rel=1e-6)


def test_several_classes_are_each_fitted_alone() -> None:
    drawn = [torch.tensor(values, dtype=torch.float64) for values in drawn_distances().values()]
    together = fit_tails(drawn, tail_size=60)
    alone = [fit_tails([values], tail_size=60) for values in drawn]
    assert torch.equal(together.shape, torch.cat([tails.shape for tails in alone]))
    queries = torch.rand(7, 3, dtype=torch.float64)
    expected = torch.cat([tails.exceeded(queries[:, c, None]) for c, tails in enumerate(alone)], 1)
    assert torch.equal(together.exceeded(queries), expected)


@pytest.mark.parametrize("translation", [0.1, 1.0, 20.0])
def test_the_likelihood_is_scipys_largest(translation: float) -> None:
    distances = torch.tensor(drawn_distances()[300, 200], dtype=torch.float64)
    tails = fit_tails([distances], tail_size=200, translation=translation)
    tail = distances.sort().values[-200:]
    translated = (tail - tail[0] + translation).numpy()
    shape, _, scale = stats.weibull_min.fit(translated, floc=0)
    assert float(tails.shape) == pytest.approx(shape, rel=1e-3)
    own = stats.weibull_min.logpdf(translated, float(tails.shape), scale=float(tails.scale)).sum()
    assert own >= stats.weibull_min.logpdf(translated, shape, scale=scale).sum() - 1e-9
    for factor in (0.99, 1.01):
        assert own > stats.weibull_min.logpdf(translated, factor * float(tails.shape), scale=float(tails.scale)).sum()
        nudged = float(tails.scale) * (1 + (factor - 1) / float(tails.shape))
        assert own > stats.weibull_min.logpdf(translated, float(tails.shape), scale=nudged).sum()


def test_a_large_translation_loses_no_digits_in_float32() -> None:
    """T = 10000, where a float32 has steps of .001 and the distances lie within .4."""
    distances = torch.tensor(drawn_distances()[300, 200], dtype=torch.float64)
    tails = fit_tails([distances], tail_size=200, translation=10000.0)
    queries = torch.tensor(QUERIES, dtype=torch.float64)
    y = (queries - tails.smallest + 10000.0).log()
    direct = -torch.expm1(-(tails.shape * (y - math.log(10000.0) - tails.log_ratio)).exp())
    assert torch.allclose(of_one_class(tails, queries), direct, rtol=0, atol=1e-7)
    narrow = WeibullTails(tails.smallest.float(), tails.shape.float(), tails.log_ratio.float(), 10000.0)
    assert torch.allclose(of_one_class(narrow, queries.float()).double(), direct, rtol=0, atol=1e-5)
    of_one = fit_tails([distances], tail_size=200, translation=1.0)
    assert 0.001 < float((of_one_class(of_one, queries) - direct).abs().max()) < 0.1  # the two conventions differ


def test_the_ends_of_the_range() -> None:
    tails = WeibullTails(torch.tensor([2.0]), torch.tensor([3.0]), torch.tensor([0.1]), 1.0)
    queries = torch.tensor([[0.0], [1.0], [1.5], [1e6]], requires_grad=True)
    w = tails.exceeded(queries)
    assert w[:2].flatten().detach().tolist() == [0.0, 0.0]  # d - s + T is not positive
    assert 0 < w[2].item() < 1
    assert w[3].item() == 1.0
    (slope,) = torch.autograd.grad(w.sum(), queries)
    assert bool(torch.isfinite(slope).all())
    assert float(slope[2]) > 0


def test_a_tail_without_extent_is_refused() -> None:
    two = torch.tensor([0.1, 0.2])
    nearly = torch.full((9,), 0.5, dtype=torch.float64)
    nearly[3] += 2e-16  # as the same activations may give
    refused = [
        (
            torch.tensor([0.5]),
            "the tail of class 1 has 1 distances, and two are the least .*: take more training images",
        ),
        (torch.tensor([]), "the tail of class 1 has 0 distances"),
        (
            torch.full((9,), 0.5),
            "all of the 9 distances of class 1 are equal, .* do not tell its images apart: take another layer",
        ),
        (nearly, "all of the 9 distances of class 1 are equal"),
        (
            torch.tensor([0.1, *[0.5] * 20]),
            "the largest 20 of the 21 distances of class 1 are equal, .*: take a larger tail_size",
        ),
        (
            torch.tensor([0.1, math.nan, 0.3]),
            "1 of the 3 distances of class 1 are NaN or infinite, .*: check its weights",
        ),
        (torch.tensor([0.1, math.inf, 0.3]), "1 of the 3 distances of class 1 are NaN or infinite"),
    ]
    for tail, said in refused:
        with pytest.raises(ArgumentError, match=said):
            fit_tails([two, tail], tail_size=20)
    assert float(fit_tails([two], tail_size=20).smallest) == pytest.approx(0.1)  # fewer than the tail: all of them
