"""The whole Jacobian against autograd's, and against products."""

from __future__ import annotations

import torch
from torch import nn

from advlab.geometry.dense import dense_jacobian
from advlab.geometry.jacobian import jvp


def test_rows_are_autograds_and_batches_do_not_matter() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 7)
    ).double()
    x = torch.rand(1, 2, 6, 6, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(network, x)[0].flatten(1)
    for batch in (1, 3, 100):
        torch.testing.assert_close(dense_jacobian(network, x, batch_size=batch), expected)
    v = torch.randn(1, 5, 2, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(v[0].flatten(1) @ expected.T, jvp(network, x, v)[0])
    with torch.inference_mode():
        torch.testing.assert_close(dense_jacobian(network, x), expected)
    assert all(p.grad is None for p in network.parameters())
