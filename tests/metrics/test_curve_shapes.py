"""Shapes of curves against constructed functions: even, monotonic, sums, and a known share of interaction."""

from __future__ import annotations

import numpy as np
import pytest

from advlab.metrics.curve_shapes import (
    explained,
    interaction_share,
    linearised,
    mirror_symmetry,
    monotonicity,
    separability,
)

S = np.linspace(-4, 4, 41)


def test_an_even_function_about_any_centre_of_the_grid_has_r2_1_there() -> None:
    centers = np.array([-1.9, -1.0, 0.0, 0.1, 2.0])  # points and midpoints of the middle half
    curves = np.stack([np.cosh(S - s0) for s0 in centers])
    symmetry = mirror_symmetry(curves)
    assert symmetry.r2 == pytest.approx(np.ones(5), abs=1e-12)
    assert S[0] + symmetry.center * 0.1 == pytest.approx(centers)


def test_a_centre_outside_of_the_middle_half_is_not_taken_nor_a_part_shorter_than_half() -> None:
    symmetry = mirror_symmetry(np.stack([(S - 3.8) ** 2, np.exp(2 * S)]))
    assert (np.abs(symmetry.center - 40) <= 20).all()
    assert (symmetry.r2 < 0.5).all()


def test_odd_and_constant_functions_are_no_mirror_images() -> None:
    symmetry = mirror_symmetry(np.stack([S, np.full(41, 0.3), 5 * S + np.cos(40 * S)]))
    assert symmetry.r2[0] == pytest.approx(-3)
    assert np.isnan(symmetry.r2[1])
    assert symmetry.r2[2] < 0


def test_r2_is_the_one_of_its_definition_by_brute_force() -> None:
    curve = np.random.default_rng(0).normal(size=9)

    def r2(doubled: int) -> float:
        pairs = [(i, doubled - i) for i in range(9) if 0 <= doubled - i < 9]
        mean = np.mean([curve[i] for i, _ in pairs])
        errors = sum((curve[i] - curve[j]) ** 2 for i, j in pairs)
        return float(1 - errors / sum((curve[i] - mean) ** 2 for i, _ in pairs))

    values = {doubled: r2(doubled) for doubled in range(4, 13)}
    found = mirror_symmetry(curve[None])
    assert found.r2[0] == pytest.approx(max(values.values()))
    assert found.center[0] == max(values, key=lambda doubled: values[doubled])


def test_monotonicity_is_1_for_saturating_sides_and_falls_with_the_way_back() -> None:
    curves = np.stack([np.tanh(S**2), -np.abs(S), np.sin(S * np.pi / 2)])
    assert monotonicity(curves, np.full(3, 40)) == pytest.approx([1, 1, 0], abs=1e-12)
    hump = np.concatenate([np.zeros(20), [0, 3.0, 2.0]])  # up by 3 and down by 1
    assert monotonicity(hump[None], np.array([40])) == pytest.approx([2 / 4])


def test_sums_of_functions_are_separable_and_products_are_not() -> None:
    generator = np.random.default_rng(1)
    h, scale = generator.normal(size=30), generator.normal(size=30)
    g = S**2
    sums = separability(g + h[:, None])
    assert sums.explained == pytest.approx(1)
    assert sums.shape == pytest.approx(1)
    noise = scale - scale.mean()
    mixed = separability(g + 3 * h[:, None] + noise[:, None] * (S - S.mean()))
    residual = (noise**2).sum() * (S**2).sum()
    between = 41 * ((3 * (h - h.mean())) ** 2).sum()
    along = 30 * ((g - g.mean()) ** 2).sum()
    assert mixed.explained == pytest.approx(1 - residual / (residual + between + along))
    assert mixed.shape == pytest.approx(1 - residual / (residual + along))


def test_a_score_that_hardly_moves_is_explained_by_the_image_alone_but_has_no_common_shape() -> None:
    generator = np.random.default_rng(2)
    flat = separability(10 * generator.normal(size=(200, 1)) + generator.normal(size=(200, 41)))
    assert flat.explained > 0.98
    assert flat.shape < 0.05


def test_linearised_numbers_have_the_ratio_as_their_mean_and_its_sampling_error() -> None:
    generator = np.random.default_rng(3)
    left, total = generator.exponential(size=(2, 400, 300))
    numbers = np.stack([linearised(a, a + b) for a, b in zip(left, total, strict=True)])
    shares = np.array([explained(a, a + b) for a, b in zip(left, total, strict=True)])
    assert numbers.mean(1) == pytest.approx(shares)
    assert np.median(numbers.std(1)) / np.sqrt(300) == pytest.approx(shares.std(), rel=0.1)
    assert np.isnan(linearised(np.zeros(3), np.zeros(3))).all()


def test_a_known_share_of_interaction() -> None:
    s, t = np.linspace(-1, 1, 5), np.linspace(-2, 2, 7)
    a, b, c = 2.0, -1.0, 0.5
    grid = a * s[:, None] + b * t + c * s[:, None] * t + 7
    parts = np.array([a**2 * (s**2).mean(), b**2 * (t**2).mean(), c**2 * (s**2).mean() * (t**2).mean()])
    assert interaction_share(grid[None]) == pytest.approx([parts[2] / parts.sum()])
    assert np.isnan(interaction_share(np.ones((1, 3, 3)))).all()
