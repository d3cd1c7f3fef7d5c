"""What attacks draw: set by the seed, the purpose, the image in 16 bits and the trial, and by nothing else."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from advlab.attacks.external.counted_module import seeded_by_images
from advlab.attacks.random_numbers import generator, image_keys

X = torch.randint(0, 256, (4, 2, 3, 3), generator=torch.Generator().manual_seed(0)).double() / 255


def test_keys_are_digests_of_the_16_bit_levels() -> None:
    for image, key in zip(X, image_keys("noise", 7, X, (0.0, 1.0)), strict=True):
        levels = b"".join(round(float(v) * 65535).to_bytes(2, "little") for v in image.flatten())
        assert key == hashlib.sha256(b"advlab attack noise 1/7/" + levels).digest()


def test_keys_know_neither_precision_nor_unit_nor_neighbours() -> None:
    keys = image_keys("noise", 0, X, (0.0, 1.0))
    assert image_keys("noise", 0, X.float(), (0.0, 1.0)) == keys
    assert image_keys("noise", 0, X * 255 - 128, (-128.0, 127.0)) == keys
    assert image_keys("noise", 0, (X * 255 - 128).float(), (-128.0, 127.0)) == keys
    assert image_keys("noise", 0, X[[2, 0]].requires_grad_(), (0.0, 1.0)) == [keys[2], keys[0]]
    assert image_keys("noise", 0, X[:0], (0.0, 1.0)) == []


def test_keys_differ_by_seed_purpose_and_image() -> None:
    changed = X.clone()
    changed[:, 0, 0, 0] = (changed[:, 0, 0, 0] - 1 / 65535).abs()  # one level of 16 bits
    keys = [
        *image_keys("noise", 0, X, (0.0, 1.0)), *image_keys("noise", 1, X, (0.0, 1.0)), *image_keys("pgd", 0, X, (0.0, 1.0)),
        *image_keys("noise", 0, changed, (0.0, 1.0)),
    ]  # fmt: skip
    assert len(set(keys)) == 16


def test_each_trial_has_numbers_of_its_own() -> None:
    key = image_keys("noise", 0, X, (0.0, 1.0))[0]
    drawn = [generator(key, trial).random(5).tolist() for trial in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_foreign_code_draws_the_same_in_any_unit_and_precision() -> None:
    def draws(seed: int, x: torch.Tensor, bounds: tuple[float, float]) -> list[float]:
        with seeded_by_images(seed, x, bounds):
            return [float(torch.rand(1)), float(np.random.rand())]  # noqa: NPY002 - what other libraries draw from

    first = draws(0, X, (0.0, 1.0))
    assert draws(0, (X * 255).float(), (0.0, 255.0)) == first
    for other in (draws(1, X, (0.0, 1.0)), draws(0, X[:3], (0.0, 1.0)), draws(0, X[[1, 0, 2, 3]], (0.0, 1.0))):
        assert not set(other) & set(first)
