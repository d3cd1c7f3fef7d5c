"""DeepFool's searches on networks with a reject output: they go past the rejection, and agree with each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from advlab.attacks import DeepFool
from advlab.attacks.boundary.deepfool import rival_search
from advlab.attacks.boundary.deepfool.one_image import OneImageDeepFool
from advlab.attacks.network import CountedNetwork
from advlab.attacks.problem import Problem
from tests.helpers.rejecting import Cautious, at_first_pixels, class_zero


def test_deepfool_on_one_image_goes_past_the_rejection() -> None:
    x = at_first_pixels(0.2, 0.1)
    network = CountedNetwork(Cautious(), 8)
    problem = Problem(network, x, class_zero(x), None, network.forward(x, class_zero(x)), (0.0, 1.0))
    attack = OneImageDeepFool(problem, max_iter=10, overshoot=0.02, candidates=0)
    perturbation, steps = attack(1, x[1:])
    assert steps > 0
    assert 0.6 < float(perturbation[0, 0, 0, 0]) < 0.63


@pytest.mark.parametrize("one_batch", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_deepfools_searches_agree(one_batch: bool, exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images in a batch, of which few need a rival's gradient at a time, go where each goes alone, in each search."""
    monkeypatch.setattr(rival_search, "fit_one_batch", lambda *_: one_batch)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(6, 8, dtype=torch.float64, generator=generator)

    class Linear(Cautious):
        def forward(self, x: Tensor) -> Tensor:
            logits = (x.flatten(1) - 0.5) @ weight.T
            return torch.cat([logits[:, :5], logits[:, 5:] * 0.5 + 0.3], 1)

    x = torch.rand(40, 2, 2, 2, dtype=torch.float64, generator=generator)
    labels = Linear()(x)[:, :5].argmax(1)
    together = DeepFool(exact=exact, clip="none", max_iter=20)(Linear(), x, labels)
    assert int(together.eligible.sum()) > 10
    assert torch.equal(together.success, together.eligible)
    for i in together.eligible.nonzero()[:, 0].tolist():
        alone = DeepFool(exact=True, clip="none", max_iter=20)(Linear(), x[i : i + 1], labels[i : i + 1])
        assert torch.allclose(alone.adv[0], together.adv[i], rtol=0, atol=1e-9)
