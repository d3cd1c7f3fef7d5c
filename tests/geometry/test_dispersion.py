"""The mean pairwise difference against all pairs."""

from __future__ import annotations

import pytest
import torch

from advlab.geometry.dispersion import mean_pairwise_difference


@pytest.mark.parametrize("size", [2, 3, 10, 57])
def test_it_is_the_mean_over_all_pairs(size: int) -> None:
    values = torch.randn(4, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    values[1] = values[1].round()  # ties
    brute = [
        sum(abs(a - b) for i, a in enumerate(row) for b in row[:i]) / (size * (size - 1) / 2) for row in values.tolist()
    ]
    assert mean_pairwise_difference(values).tolist() == pytest.approx(brute, rel=1e-12)


def test_equal_elements_have_none_and_it_scales_but_does_not_shift() -> None:
    assert mean_pairwise_difference(torch.full((2, 1000), 0.3)).tolist() == pytest.approx([0, 0], abs=1e-15)
    values = torch.tensor([[1.0, 2.0, 4.0]])
    assert float(mean_pairwise_difference(values)[0]) == 2
    assert float(mean_pairwise_difference(-3 * values + 7)[0]) == pytest.approx(6)


def test_single_precision_is_summed_in_double() -> None:
    values = torch.rand(1, 100_000, generator=torch.Generator().manual_seed(0)) * 1e-9 + 1
    exact = mean_pairwise_difference(values.double())
    assert mean_pairwise_difference(values).tolist() == exact.tolist()


def test_one_value_has_no_pair() -> None:
    with pytest.raises(ValueError, match="at least two"):
        mean_pairwise_difference(torch.zeros(3, 1))
