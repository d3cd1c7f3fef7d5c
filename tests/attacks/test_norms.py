"""Lengths of perturbations."""

from __future__ import annotations

import torch

from advlab.attacks.norms import norms_of_each


def test_lengths() -> None:
    v = torch.tensor([[[3.0, -4.0]], [[0.0, 0.0]]])
    assert [norms_of_each(v, norm).tolist() for norm in ("l1", "l2", "linf")] == [[7.0, 0.0], [5.0, 0.0], [4.0, 0.0]]
