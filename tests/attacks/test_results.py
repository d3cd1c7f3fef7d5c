"""What a result says of itself in words."""

from __future__ import annotations

import torch
from torch import nn

from advlab.attacks import FGS


def test_a_result_names_how_each_image_ended() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    model[1].weight.data = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    x = torch.tensor([[[[0.6, 0.4]]], [[[0.2, 0.8]]]])
    result = FGS()(model, x, torch.tensor([0, 0]))  # the second is no 0
    assert result.status_names == ["SUCCESS", "INELIGIBLE"]
    said = str(result)
    assert said.startswith("2 images: 1 SUCCESS, 1 INELIGIBLE; median distance of the successful 0.1")
    assert str(FGS()(model, x[:0], torch.zeros(0, dtype=torch.int64))) == "0 images: none"
