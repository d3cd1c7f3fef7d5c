"""DeepFool against the authors' algorithms, written once more from the papers, and against foolbox."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.deepfool import curved_network, deepfool_result, predicted_classes, uniform_images


def authors_python(network: nn.Module, x: Tensor, max_iter: int = 50, overshoot: float = 0.02) -> tuple[Tensor, int]:
    """The algorithm of LTS4's deepfool.py for one image, from its description: all rivals, one image, no batch."""
    with torch.no_grad():
        label = int(network(x).argmax())
        classes = network(x).shape[1]
    total, point, step = torch.zeros_like(x), x.clone(), 0
    while step < max_iter:
        z = point.clone().requires_grad_()
        out = network(z)[0]
        if int(out.argmax()) != label:
            break
        own = torch.autograd.grad(out[label], z, retain_graph=True)[0]
        best, direction = np.inf, own
        for k in range(classes):
            if k == label:
                continue
            w = torch.autograd.grad(out[k], z, retain_graph=True)[0] - own
            distance = float((out[k] - out[label]).abs().detach() / w.norm())
            if distance < best:
                best, direction = distance, w
        total = total + (best + 1e-4) * direction / direction.norm()
        point, step = x + (1 + overshoot) * total, step + 1
    return point, step


@pytest.mark.parametrize("exact", [True, False])
def test_the_python_flavour_is_the_authors(exact: bool) -> None:
    network, x = curved_network(), uniform_images(20)
    result = deepfool_result(network, x, clip="none", exact=exact)
    assert int(result.steps.max()) > 1, "curved boundaries take more than one step"
    for i in range(len(x)):
        point, step = authors_python(network, x[i : i + 1])
        assert torch.allclose(result.adv[i], point[0], atol=1e-9)
        assert int(result.steps[i]) == step


def test_the_matlab_flavour_linearises_before_the_overshoot() -> None:
    network, x = curved_network(), uniform_images(12)
    result = deepfool_result(network, x, clip="none", flavour="matlab", overshoot=0.1)
    for i in range(len(x)):
        image, r = x[i : i + 1], torch.zeros(1, 1, 8, 8, dtype=torch.float64)
        label = int(predicted_classes(network, image))
        while int(predicted_classes(network, image + 1.1 * r)) == label:
            z = (image + r).requires_grad_()
            out = network(z)[0]
            rows = [torch.autograd.grad(out[k] - out[label], z, retain_graph=True)[0] for k in range(6)]
            length = [
                float((out[k] - out[label]).abs().detach() / rows[k].norm()) if k != label else np.inf for k in range(6)
            ]
            k = int(np.argmin(length))
            r = r + length[k] * rows[k] / rows[k].norm()
        assert torch.allclose(result.adv[i], (image + 1.1 * r)[0], atol=1e-9)


def test_targeted_follows_algorithm_1_of_jetley() -> None:
    network, x = curved_network(), uniform_images(16)
    label = predicted_classes(network, x)
    target = (label + 1) % 6
    options: dict[str, Any] = {"clip": "none", "flavour": "matlab", "overshoot": 0.05, "max_iter": 100}
    result = deepfool_result(network, x, targets=target, **options)
    assert result.success.float().mean() > 0.6
    assert torch.equal(result.prediction[result.success], target[result.success])
    for i in result.success.nonzero()[:, 0].tolist():
        image, c, r = x[i : i + 1], int(target[i]), torch.zeros(1, 1, 8, 8, dtype=torch.float64)
        for _ in range(100):
            current = int(predicted_classes(network, image + 1.05 * r))
            if current == c:
                break
            z = (image + r).requires_grad_()
            out = network(z)[0]
            w = torch.autograd.grad(out[c] - out[current], z)[0]
            r = r + float((out[c] - out[current]).abs().detach()) * w / w.norm() ** 2
        assert torch.allclose(result.adv[i], (image + 1.05 * r)[0], atol=1e-8)


def test_foolbox_finds_no_shorter_ones() -> None:
    foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed (extra peers)")
    network, x = curved_network(dtype=torch.float32).eval(), uniform_images(24).float()
    label = predicted_classes(network, x)
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    _, theirs, success = foolbox.attacks.L2DeepFoolAttack(steps=50)(model, x, label, epsilons=None)
    ours = deepfool_result(network, x)
    assert bool(ours.success[success].all())
    lengths = (theirs - x).flatten(1).norm(dim=1)
    assert float(ours.distance[success].mean()) <= 1.01 * float(lengths[success].mean())
