"""What Lanczos is said to capture of a dense spectrum, by directions of known shares."""

from __future__ import annotations

import pytest
import torch

from advlab.geometry.mean_hessian import CurvatureBasis
from benchmarks import curvature
from benchmarks.curvature import captured_share
from benchmarks.report import Report


def basis(rows: torch.Tensor, curvatures: torch.Tensor) -> CurvatureBasis:
    return CurvatureBasis(rows, curvatures, curvatures, curvatures, 0.0)


def test_captured_share() -> None:
    eye, curvatures = torch.eye(8).double(), torch.tensor([6.0, 3, 1, 0, 0, -1, -2, -4]).double()
    dense = basis(eye, curvatures)
    assert captured_share(basis(eye[[0, 1, 6, 7]], curvatures[:4]), dense, 2) == 1
    assert captured_share(basis(eye[[0, 3, 4, 7]], curvatures[:4]), dense, 2) == pytest.approx((6 + 4) / 15)
    turned = (eye[0] + eye[3]) / 2**0.5
    mixed = torch.stack([turned, eye[1], eye[6], eye[7]])
    assert captured_share(basis(mixed, curvatures[:4]), dense, 2) == pytest.approx((3 + 3 + 2 + 4) / 15)


@pytest.mark.long
def test_the_memory_of_large_images_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LARGE": (1, 28, 28), "LARGE_POINTS": 2, "LARGE_PAIRS": 1}.items():
        monkeypatch.setattr(curvature, name, value)
    report = Report()
    for limit in (2**50, 2**20):
        monkeypatch.setattr(curvature, "LARGEST_MEMORY", limit)
        curvature.memory(report, "lenet")
    assert [ratio.reached for ratio in report.ratios] == [True, False]
    assert min(ratio.value for ratio in report.ratios) > 0.01
